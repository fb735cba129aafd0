"""Verbs of AWS APIs by class, as CloudTrail names them in ``eventName``.

All services share one table: a verb of two services means the same kind of act in both.
A verb may end in the date of an API version, which is not part of the table.
"""

from __future__ import annotations

NAMED = {
    "read": "GetObject GetObjectTorrent SelectObjectContent GetItem BatchGetItem TransactGetItems "
    "Query Scan GetRecords ReceiveMessage GetSecretValue BatchGetSecretValue GetParameter "
    "GetParameters GetParametersByPath GetParameterHistory BatchGetImage GetDownloadUrlForLayer "
    "GetPackageVersionAsset GetBlob GetFile GetFolder GetDifferences GetSnapshotBlock "
    "GetJobOutput InitiateJob DownloadDBLogFilePortion DownloadCompleteDBLogFile GetQueryResults "
    "GetQueryResultsStream GetStatementResult GetStatementResultV2 GetLogEvents FilterLogEvents "
    "GetLogRecord GetLogObject StartLiveTail GetFileDownloadUrls GetPasswordData GetAgentMemory "
    "GetRawMessageContent GetTableData ReadRows GetVectors QueryVectors",
    "list": "ListObjects ListObjectsV2 ListObjectVersions ListBuckets ListMultipartUploads "
    "ListParts ListDirectoryBuckets ListAccessPoints",
    "inspect": "HeadObject HeadBucket GetObjectAttributes GetObjectAcl GetObjectTagging "
    "GetBucketLocation GetObjectRetention GetObjectLegalHold BatchCheckLayerAvailability "
    "DecodeAuthorizationMessage AccessKubernetesApi CountTokens GenerateCredentialReport "
    "GenerateServiceLastAccessedDetails GenerateOrganizationsAccessReport",
    "write": "PutObject UploadPart CreateMultipartUpload CompleteMultipartUpload "
    "AbortMultipartUpload PutObjectTagging PostObject RestoreObject RenameObject "
    "WriteGetObjectResponse PutObjectRetention PutObjectLegalHold UpdateObjectEncryption PutItem "
    "UpdateItem BatchWriteItem TransactWriteItems PutRecord PutRecords PutRecordBatch SendMessage "
    "SendMessageBatch Publish PublishBatch PutSecretValue CreateSecret UpdateSecret "
    "UpdateSecretVersionStage PutParameter LabelParameterVersion UnlabelParameterVersion PutImage "
    "InitiateLayerUpload UploadLayerPart CompleteLayerUpload PublishPackageVersion "
    "PublishLayerVersion GitPush PutFile CreateCommit CreateBranch CreateUnreferencedMergeCommit "
    "CreatePullRequest MergeBranchesByFastForward MergeBranchesBySquash MergeBranchesByThreeWay "
    "MergePullRequestByFastForward MergePullRequestBySquash MergePullRequestByThreeWay "
    "PostCommentForComparedCommit PostCommentForPullRequest PostCommentReply PutCommentReaction "
    "UpdateComment UpdatePullRequestApprovalState UpdatePullRequestDescription "
    "UpdatePullRequestStatus UpdatePullRequestTitle PutSnapshotBlock StartSnapshot "
    "CompleteSnapshot UploadArchive InitiateMultipartUpload UploadMultipartPart PutLogEvents "
    "CreateLogStream PutMetricData PutEvents PutVectors GetFileUploadUrls",
    "copy": "CopyObject UploadPartCopy CreateSnapshot CreateSnapshots CopySnapshot "
    "CopySnapshotAndUpdateVolume CreateImage CopyImage CopyFpgaImage CreateStoreImageTask "
    "CreateRestoreImageTask ExportImage CreateInstanceExportTask CopyVolumes CreateDBSnapshot "
    "CopyDBSnapshot CreateDBClusterSnapshot CopyDBClusterSnapshot StartExportTask "
    "CopyClusterSnapshot CreateClusterSnapshot CreateBackup CopyBackup StartBackupJob "
    "StartCopyJob ExportTableToPointInTime CreateExportTask CreateDataRepositoryTask "
    "CreateDataRepositoryAssociation StartTaskExecution CreateReplicationConfiguration "
    "CopyPackageVersions CreateModelCopyJob ReplicateSecretToRegions ExportBackupPlanTemplate "
    "CreateLocationS3 CreateLocationObjectStorage CreateLocationAzureBlob CreateLocationHdfs "
    "CreateLocationNfs CreateLocationSmb UpdateLocationS3 UpdateLocationObjectStorage "
    "UpdateLocationAzureBlob UpdateLocationHdfs UpdateLocationNfs UpdateLocationSmb CreateTask "
    "StartFileTransfer",
    "clone": "GitPull",
    "delete": "DeleteObject DeleteObjects DeleteBucket DeleteObjectTagging DeleteItem "
    "DeleteMessage DeleteMessageBatch PurgeQueue DeleteSnapshot DeregisterImage DeleteVolume "
    "DeleteSecret DeleteParameter DeleteParameters BatchDeleteImage DeleteRepository "
    "DeleteArchive DeleteVault DeleteFileSystem DeleteTable DeleteBackup DeleteRecoveryPoint "
    "DeleteBackupVault DeleteDBInstance DeleteDBCluster DeleteDBSnapshot DeleteDBClusterSnapshot "
    "DeletePackageVersions DeletePackage DisposePackageVersions DeleteBranch DeleteFile "
    "DeleteCommentContent DeleteCustomModel DeleteImportedModel DeleteModel DeleteModelPackage "
    "DeleteVectors TerminateInstances",
    "share": "PutBucketPolicy PutBucketAcl PutObjectAcl PutBucketReplication PutBucketWebsite "
    "CreateAccessPoint PutAccessPointPolicy CreateAccessPointForObjectLambda "
    "PutAccessPointPolicyForObjectLambda CreateMultiRegionAccessPoint "
    "PutMultiRegionAccessPointPolicy CreateAccessGrant PutAccessGrantsInstanceResourcePolicy "
    "PutBucketPublicAccessBlock PutAccountPublicAccessBlock PutPublicAccessBlock "
    "DeletePublicAccessBlock DeleteBucketPublicAccessBlock DeleteAccountPublicAccessBlock "
    "DisableSnapshotBlockPublicAccess DisableImageBlockPublicAccess ModifySnapshotAttribute "
    "ModifyImageAttribute ModifyFpgaImageAttribute ModifyDBSnapshotAttribute "
    "ModifyDBClusterSnapshotAttribute SharedSnapshotCopy SharedSnapshotCopyInitiated "
    "SharedSnapshotVolumeCreated AuthorizeSnapshotAccess AuthorizeDataShare CreateResourceShare "
    "AssociateResourceShare ModifyDocumentPermission PutResourcePolicy SetRepositoryPolicy "
    "PutRegistryPolicy PutRepositoryPermissionsPolicy PutDomainPermissionsPolicy "
    "PutFileSystemPolicy SetVaultAccessPolicy PutBackupVaultAccessPolicy "
    "PutModelPackageGroupPolicy PutReplicationConfiguration AddPermission "
    "AddLayerVersionPermission GrantPermissions BatchGrantPermissions "
    "CreateRestoreAccessBackupVault PutTablePolicy PutTableBucketPolicy CreateTrustAnchor "
    "UpdateTrustAnchor DeleteBucketOwnershipControls",
    "execute": "Invoke InvokeAsync InvokeWithResponseStream StartSession ResumeSession "
    "SendCommand StartAutomationExecution StartChangeRequestExecution ExecuteCommand "
    "StartCalculationExecution RunStatement",
    "sign_in": "ConsoleLogin CheckMfa SwitchRole ExitRole RenewRole GetSigninToken "
    "PasswordRecoveryRequested PasswordRecoveryCompleted ExternalIdPDirectoryLogin "
    "CredentialChallenge CredentialVerification UserAuthentication CreateOAuth2Token "
    "AuthorizeOAuth2Access Authenticate Federate Logout StartDeviceAuthorization InitiateAuth "
    "AdminInitiateAuth RespondToAuthChallenge AdminRespondToAuthChallenge Login_GET Login_POST "
    "Logout_GET Authorize_GET Token_POST SAML2Response_POST OAuth2Response_GET OIDCResponse_GET "
    "SendSSHPublicKey SendSerialConsoleSSHPublicKey CreatePresignedNotebookInstanceUrl "
    "CreatePresignedDomainUrl CreatePresignedNotebookUrl CreatePresignedMlflowTrackingServerUrl",
    "assume": "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot "
    "AssumeRoleForPodIdentity GetSessionToken GetFederationToken GetServiceBearerToken "
    "GetDelegatedAccessToken GetWebIdentityToken GetRoleCredentials CreateToken "
    "CreateTokenWithIAM CreateSession GetDataAccess GetAuthorizationToken "
    "GetCredentialsForIdentity GetOpenIdToken GetOpenIdTokenForDeveloperIdentity "
    "GetClusterCredentials GetClusterCredentialsWithIAM GetTemporaryGlueTableCredentials "
    "GetTemporaryGluePartitionCredentials",
    "submit": "CreateTrainingJob CreateProcessingJob CreateTransformJob "
    "CreateHyperParameterTuningJob CreateAutoMLJob CreateAutoMLJobV2 CreateCompilationJob "
    "CreateLabelingJob StartPipelineExecution RetryPipelineExecution CreateModelCustomizationJob "
    "CreateModelInvocationJob CreateModelImportJob CreateEvaluationJob SubmitJob SubmitServiceJob "
    "CreateJob RunTask StartTask StartJobRun RunJobFlow AddJobFlowSteps StartExecution "
    "StartSyncExecution StartBuild StartBuildBatch",
    "query": "InvokeModel InvokeModelWithResponseStream InvokeModelWithBidirectionalStream "
    "Converse ConverseStream StartAsyncInvoke InvokeEndpoint InvokeEndpointAsync "
    "InvokeEndpointWithResponseStream InvokeAgent InvokeInlineAgent InvokeFlow InvokeAgentRuntime "
    "Retrieve RetrieveAndGenerate RetrieveAndGenerateStream Rerank ApplyGuardrail "
    "StartQueryExecution StartQuery ExecuteStatement BatchExecuteStatement ExecuteTransaction "
    "ExecuteSql",
    "other": "Decrypt Encrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext "
    "GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac GenerateRandom "
    "Sign Verify DeriveSharedSecret RotateKey UpdateInstanceInformation "
    "UpdateInstanceAssociationStatus PutInventory PutComplianceItems SendHeartBeat "
    "DiscoverPollEndpoint RegisterContainerInstance DeregisterContainerInstance "
    "SubmitContainerStateChange SubmitTaskStateChange SubmitAttachmentStateChanges "
    "TerminateSession EndSession BeginTransaction CommitTransaction RollbackTransaction "
    "StopQueryExecution CancelStatement StartSecretVersionDelete EndSecretVersionDelete "
    "JobCreated JobStatusChanged BackupJobStarted BackupJobCompleted CopyJobStarted "
    "CopyJobCompleted RestoreJobStarted RestoreJobCompleted",
}
"""Class → verbs."""

CHANGES = {
    "Create Delete Modify": "DBClusterEndpoint DBParameterGroup DBProxy DBProxyEndpoint "
    "DBSubnetGroup EventSubscription LaunchTemplate Listener ManagedPrefixList Rule TargetGroup "
    "TrustStore VpcBlockPublicAccessExclusion VpcEncryptionControl VpnConnection",
    "Create Delete Update": "AccessEntry AccessGrantsLocation AccessKey Addon Alias Analyzer "
    "ApiDestination AppImageConfig Application ArchiveRule AutoScalingGroup BackupPlan "
    "CapacityProvider CapacityReservation Channel Cluster ClusterSchedulerConfig "
    "CodeSigningConfig ComputeEnvironment Connection ConsumableResource CustomKeyStore "
    "CustomModelDeployment Dashboard DataCatalog Detector Document Domain EksAnywhereSubscription "
    "Endpoint EventBus EventDataStore EventSourceMapping FeatureGroup Filter FunctionUrlConfig "
    "Group Guardrail ImageVersion InferenceComponent Instance "
    "InstanceAccessControlAttributeConfiguration JobQueue LoginProfile MaintenanceWindow "
    "MarketplaceModelEndpoint MlflowApp MlflowTrackingServer ModelCard NamedQuery Notebook "
    "NotebookInstance NotebookInstanceLifecycleConfig OrganizationalUnit PartnerApp PermissionSet "
    "Pipeline Policy PreparedStatement Profile Project ProvisionedModelThroughput "
    "PublishingDestination PullThroughCacheRule RepositoryCreationTemplate ResourceDataSync Role "
    "SAMLProvider SchedulingPolicy Service ServiceEnvironment ServiceSpecificCredential Space "
    "Stack StackInstances StackSet StorageLensGroup TaskSet Trail Trial TrustedTokenIssuer User "
    "UserProfile WorkGroup",
    "Associate Disassociate": "AccessPolicy Address BackupVaultMpaApprovalTeam "
    "CapacityReservationBillingOwner EnclaveCertificateIamRole IamInstanceProfile "
    "IdentityProviderConfig KmsKey NatGatewayAddress ResourceSharePermission ResourceTypes "
    "RouteTable SecurityGroupVpc SubnetCidrBlock TrunkInterface VpcCidrBlock",
    "Create Delete": "AIBenchmarkJob AIRecommendationJob AIWorkloadConfig AccessGrantsInstance "
    "AccountAlias AccountAssignment Activation App ApplicationAssignment ApprovalRuleTemplate "
    "BackupSelection BucketMetadataConfiguration BucketMetadataTableConfiguration "
    "CapacityManagerDataExport ChangeSet CoipCidr CustomerGateway Delivery DhcpOptions "
    "EgressOnlyInternetGateway EndpointConfig FargateProfile FlowLogs FoundationModelAgreement "
    "Function GroupMembership InferenceProfile InstanceProfile InternetGateway KeyPair "
    "LaunchConfiguration LoadBalancer LogGroup Members ModelPackageGroup MountTarget NatGateway "
    "NetworkAcl NetworkAclEntry NetworkInterface NetworkInterfacePermission Nodegroup "
    "OpenIDConnectProvider OptimizationJob Organization PartnerEventSource PermissionVersion "
    "PlacementGroup PlatformApplication PolicyVersion PromptRouter PullRequestApprovalRule Queue "
    "Route RouteTable SecondarySubnet SecurityGroup ServiceLinkedAnalyzer ServiceLinkedRole "
    "Subnet SubnetCidrReservation Tags Topic VirtualMFADevice Vpc VpcPeeringConnection "
    "VpnConnectionRoute VpnGateway",
    "Create Modify": "CapacityReservationFleet DBCluster DBInstance Fleet Volume VpcEndpoint "
    "VpcEndpointConnectionNotification VpcEndpointServiceConfiguration",
    "Create Update": "Archive DelegationRequest FileSystem GlobalTable "
    "InterruptibleCapacityReservationAllocation ModelPackage Table",
    "Delete Put": "AccessPointScope AccountPolicy AccountSetting AlternateContact "
    "AnalyticsConfiguration ApplicationAccessScope ApplicationAuthenticationMethod "
    "ApplicationGrant AttributeMapping Attributes BackupVaultLockConfiguration "
    "BackupVaultNotifications BucketAnalyticsConfiguration BucketCors BucketEncryption "
    "BucketInventoryConfiguration BucketLifecycle BucketLifecycleConfiguration "
    "BucketMetricsConfiguration BucketTagging ConfigRule "
    "ConfigurationRecorder DataProtectionPolicy DeliveryChannel DeliveryDestination "
    "DeliveryDestinationPolicy DeliverySource Destination EnforcedGuardrailConfiguration "
    "FunctionCodeSigningConfig FunctionConcurrency FunctionEventInvokeConfig GroupPolicy "
    "IndexPolicy IntelligentTieringConfiguration InventoryConfiguration JobTagging "
    "LifecyclePolicy MetricFilter MetricsConfiguration ModelInvocationLoggingConfiguration "
    "NotificationConfiguration OrganizationConfigRule Permission ProvisionedConcurrencyConfig "
    "QueryDefinition ResourceConfig RetentionConfiguration RetentionPolicy "
    "RolePermissionsBoundary RolePolicy ServiceLinkedConfigurationRecorder SigningConfiguration "
    "StorageLensConfiguration StorageLensConfigurationTagging StoredQuery SubscriptionFilter "
    "UserPermissionsBoundary UserPolicy WarmPool",
    "Deregister Register": "Cluster DBProxyTargets DelegatedAdministrator "
    "MarketplaceModelEndpoint OrganizationDelegatedAdmin PullTimeUpdateExclusion Targets "
    "TaskDefinition",
    "Disable Enable": "AWSServiceAccess AllowedImagesSettings CapacityManager Crl "
    "EbsEncryptionByDefault FastLaunch FastSnapshotRestores Federation HttpEndpoint Image "
    "ImageDeprecation ImageDeregistrationProtection InstanceSqlHaStandbyDetections Key "
    "KeyRotation KinesisStreamingDestination MetricsCollection OrganizationAdminAccount "
    "OrganizationsRootCredentialsManagement OrganizationsRootSessions "
    "OutboundWebIdentityFederation Profile Region Rule SagemakerServicecatalogPortfolio "
    "SerialConsoleAccess TrustAnchor VgwRoutePropagation VpcClassicLink VpcClassicLinkDnsSupport",
    "Start Stop": "ActivityStream ConfigurationRecorder DBCluster DBInstance "
    "DBInstanceAutomatedBackupsReplication EventDataStoreIngestion Import Instances Logging "
    "MlflowTrackingServer MonitoringMembers NotebookInstance",
    "Accept": "AdministratorInvitation CapacityReservationBillingOwnership DelegationRequest "
    "Handshake Invitation PrimaryEmailUpdate ResourceShareInvitation VpcEndpointConnections "
    "VpcPeeringConnection",
    "Activate": "EventSource OrganizationsAccess",
    "Add": "ClientIDToOpenIDConnectProvider ListenerCertificates Region RoleToDBCluster "
    "RoleToDBInstance RoleToInstanceProfile SourceIdentifierToSubscription Tags TagsToResource "
    "TrustStoreRevocations UserToGroup",
    "Allocate": "Address Hosts",
    "Apply": "ArchiveRule",
    "Archive": "Findings",
    "Assign": "Ipv6Addresses PrivateIpAddresses PrivateNatGatewayAddress",
    "Associate": "AccessGrantsIdentityCenter ApprovalRuleTemplateWithRepository DelegationRequest "
    "DhcpOptions EncryptionConfig",
    "Attach": "ClassicLinkVpc ClusterNodeVolume CustomerManagedPolicyReferenceToPermissionSet "
    "GroupPolicy Instances InternetGateway LoadBalancers ManagedPolicyToPermissionSet "
    "NetworkInterface Policy RolePolicy UserPolicy Volume VpnGateway",
    "Authorize": "SecurityGroupEgress SecurityGroupIngress",
    "Backtrack": "DBCluster",
    "Batch": "AddClusterNodes AssociateApprovalRuleTemplateWithRepositories DeleteClusterNodes "
    "DeleteEvaluationJob DisassociateApprovalRuleTemplateFromRepositories RebootClusterNodes "
    "ReplaceClusterNodes",
    "Bundle": "Instance",
    "Cancel": "BundleTask CapacityReservation CapacityReservationFleets Command ConversionTask "
    "ExportTask Handshake ImageLaunchPermission ImportTask InstanceRefresh Job KeyDeletion "
    "LegalHold MaintenanceWindowExecution MessageMoveTask PolicyGeneration Query Replay "
    "RotateSecret SpotFleetRequests SpotInstanceRequests UpdateStack",
    "Change": "MessageVisibility MessageVisibilityBatch Password",
    "Close": "Account",
    "Confirm": "ProductInstance Subscription",
    "Connect": "CustomKeyStore",
    "Continue": "UpdateRollback",
    "Copy": "DBParameterGroup",
    "Create": "AccessPreview Account AssociationBatch BackupVault Bucket "
    "CapacityReservationBySplitting CustomModel DBInstanceReadReplica DefaultSubnet DefaultVpc "
    "DelegateMacVolumeOwnershipTask GovCloudAccount Grant GuardrailVersion ImportTask Key "
    "LaunchTemplateVersion LegalHold LogicallyAirGappedBackupVault Model ModelCardExportJob "
    "OrUpdateTags PartnerAppPresignedUrl Permission PlatformEndpoint PresignedMlflowAppUrl "
    "ReplaceRootVolumeTask Repository SampleFindings TrainingPlan",
    "Deactivate": "EventSource MFADevice OrganizationsAccess",
    "Deauthorize": "Connection",
    "Decline": "Handshake Invitations",
    "Delete": "AccessGrant AccessGrantsInstanceResourcePolicy AccessPoint "
    "AccessPointForObjectLambda AccessPointPolicy AccessPointPolicyForObjectLambda "
    "AccountPasswordPolicy BackupVaultAccessPolicy BucketPolicy BucketReplication BucketWebsite "
    "CompilationJob Crl DBClusterAutomatedBackup DBInstanceAutomatedBackup EvaluationResults "
    "FileSystemPolicy Fleets HyperParameterTuningJob Image ImportedKeyMaterial "
    "InlinePolicyFromPermissionSet Inventory Invitations LaunchTemplateVersions LayerVersion "
    "LogStream ModelPackageGroupPolicy MultiRegionAccessPoint "
    "PermissionsBoundaryFromPermissionSet ProcessingJob RegistryPolicy ReplicationConfiguration "
    "RepositoryPolicy ResourcePolicy ResourceShare SSHPublicKey ServerCertificate "
    "SigningCertificate TaskDefinitions TrainingJob TrustAnchor VpcEndpointConnectionNotifications "
    "VpcEndpointServiceConfigurations VpcEndpoints",
    "Deliver": "ConfigSnapshot",
    "Deregister": "ManagedInstance TargetFromMaintenanceWindow TaskFromMaintenanceWindow",
    "Detach": "ClassicLinkVpc ClusterNodeVolume CustomerManagedPolicyReferenceFromPermissionSet "
    "GroupPolicy Instances InternetGateway LoadBalancers ManagedPolicyFromPermissionSet "
    "NetworkInterface Policy RolePolicy UserPolicy Volume VpnGateway",
    "Disassociate": "ApprovalRuleTemplateFromRepository FromAdministratorAccount "
    "FromMasterAccount Members RecoveryPoint RecoveryPointFromParent ResourceShare",
    "Disconnect": "CustomKeyStore",
    "Dissociate": "AccessGrantsIdentityCenter",
    "Email": "Updated",
    "Enable": "AllFeatures ImageBlockPublicAccess MFADevice "
    "ReachabilityAnalyzerOrganizationSharing SharingWithAwsOrganization SnapshotBlockPublicAccess "
    "VolumeIO",
    "Enter": "Standby",
    "Execute": "ChangeSet Policy",
    "Exit": "Standby",
    "Export": "Notebook",
    "Extend": "TrainingPlan",
    "Failover": "DBCluster",
    "Generate": "FindingRecommendation Query",
    "Import": "Crl Image Instance KeyMaterial KeyPair Notebook Snapshot StacksToStackSet Table "
    "Volume",
    "Invite": "AccountToOrganization Members OrganizationToTransferResponsibility",
    "Is": "MemberInGroups",
    "Launch": "Instances",
    "Leave": "Organization",
    "Lock": "Snapshot",
    "Mfa": "Updated",
    "Modify": "ActivityStream AddressAttribute AvailabilityZoneGroup CapacityReservation "
    "Certificates CurrentDBClusterCapacity DBProxyTargetGroup DBRecommendation DBSnapshot "
    "DefaultCreditSpecification EbsDefaultKmsKeyId Hosts IdFormat IdentityIdFormat "
    "InstanceAttribute InstanceCapacityReservationAttributes InstanceCpuOptions "
    "InstanceCreditSpecification InstanceEventStartTime InstanceMaintenanceOptions "
    "InstanceMetadataDefaults InstanceMetadataOptions InstanceNetworkPerformanceOptions "
    "InstancePlacement IpPools ListenerAttributes LoadBalancerAttributes "
    "MountTargetSecurityGroups NetworkInterfaceAttribute PrivateDnsNameOptions "
    "PublicIpDnsNameOptions SecurityGroupRules SnapshotTier SpotFleetRequest SubnetAttribute "
    "TargetGroupAttributes VolumeAttribute VpcAttribute VpcBlockPublicAccessOptions "
    "VpcEndpointServicePayerResponsibility VpcEndpointServicePermissions "
    "VpcPeeringConnectionOptions VpcTenancy VpnConnectionOptions VpnTunnelCertificate "
    "VpnTunnelOptions",
    "Monitor": "Instances",
    "Move": "Account AddressToVpc CapacityReservationInstances",
    "Opt": "InPhoneNumber",
    "Override": "PullRequestApprovalRules",
    "Password": "Updated",
    "Promote": "PermissionCreatedFromPolicy ReadReplica ReadReplicaDBCluster "
    "ResourceShareCreatedFromPolicy",
    "Provision": "PermissionSet",
    "Publish": "Version",
    "Put": "AccelerateConfiguration AccessPointConfigurationForObjectLambda AccountName "
    "AccountPreferences AccountSettingDefault ApplicationAssignmentConfiguration "
    "ApplicationSessionConfiguration BackupPolicy BearerTokenAuthentication BucketAbac "
    "BucketAccelerateConfiguration BucketLogging BucketNotification "
    "BucketNotificationConfiguration BucketObjectLockConfiguration BucketOwnershipControls "
    "BucketRequestPayment "
    "BucketVersioning CapacityAssignmentConfiguration ClusterCapacityProviders ContactInformation "
    "DestinationPolicy Evaluations EventConfiguration EventSelectors ExternalEvaluation "
    "FunctionRecursionConfig FunctionScalingConfig ImageScanningConfiguration ImageTagMutability "
    "InlinePolicyToPermissionSet InsightSelectors KeyPolicy LifecycleConfiguration "
    "LogGroupDeletionProtection NotificationSettings ObjectLockConfiguration PartnerEvents "
    "PermissionsBoundaryToPermissionSet RegistryScanningConfiguration RepositoryTriggers "
    "RestoreValidationResult Rule RuntimeManagementConfig ScalingPolicy Targets "
    "UseCaseForModelAccess",
    "Reboot": "DBCluster DBInstance Instances",
    "Record": "HandlerProgress",
    "Register": "Image TargetWithMaintenanceWindow TaskWithMaintenanceWindow",
    "Reject": "CapacityReservationBillingOwnership DelegationRequest ResourceShareInvitation "
    "VpcEndpointConnections VpcPeeringConnection",
    "Release": "Address Hosts",
    "Remove": "AccountFromOrganization ClientIDFromOpenIDConnectProvider LayerVersionPermission "
    "ListenerCertificates Permission Region RegionsFromReplication RoleFromDBCluster "
    "RoleFromDBInstance RoleFromInstanceProfile SourceIdentifierFromSubscription Tags "
    "TagsFromResource Targets TrustStoreRevocations UserFromGroup",
    "Render": "UiTemplate",
    "Replace": "ImageCriteriaInAllowedImagesSettings NetworkAclEntry PermissionAssociations Route "
    "VpnTunnel",
    "Replicate": "Key",
    "Request": "SpotFleet SpotInstances",
    "Reset": "AddressAttribute DBParameterGroup EbsDefaultKmsKeyId ImageAttribute "
    "InstanceAttribute NetworkInterfaceAttribute NotificationSettings ServiceSetting "
    "ServiceSpecificCredential SnapshotAttribute",
    "Restore": "AddressToClassic DBClusterFromS3 DBClusterFromSnapshot DBClusterToPointInTime "
    "DBInstanceFromDBSnapshot DBInstanceFromS3 DBInstanceToPointInTime EventDataStore "
    "ImageFromRecycleBin ManagedPrefixListVersion Secret SnapshotFromRecycleBin SnapshotTier "
    "TableFromBackup TableToPointInTime VolumeFromRecycleBin",
    "Resume": "Processes",
    "Resync": "MFADevice",
    "Retire": "Grant",
    "Revoke": "Grant RestoreAccessBackupVault SecurityGroupEgress SecurityGroupIngress",
    "Rollback": "InstanceRefresh Stack",
    "Rotate": "KeyOnDemand Secret",
    "Run": "Instances ScheduledInstances",
    "Schedule": "KeyDeletion",
    "Send": "AutomationSignal DelegationToken DiagnosticInterrupt DurableExecutionCallbackFailure "
    "DurableExecutionCallbackHeartbeat DurableExecutionCallbackSuccess "
    "PipelineExecutionStepFailure PipelineExecutionStepSuccess",
    "Set": "DefaultPermissionVersion DefaultPolicyVersion DesiredCapacity EndpointAttributes "
    "InstanceHealth InstanceProtection PlatformApplicationAttributes QueueAttributes "
    "RulePriorities SMSAttributes SecurityGroups SecurityTokenServicePreferences StackPolicy "
    "Subnets SubscriptionAttributes TopicAttributes TypeDefaultVersion",
    "Signal": "Resource",
    "Start": "AccessRequest AssociationsOnce ClusterHealthCheck ConfigRulesEvaluation "
    "DashboardRefresh ExecutionPreview ImageScan InsightsRefresh InstanceRefresh "
    "LifecyclePolicyPreview MessageMoveTask PolicyGeneration PrimaryEmailUpdate Replay "
    "ResourceEvaluation RestoreJob ScanJob VpcEndpointServicePrivateDnsVerification",
    "Stop": "AIBenchmarkJob AIRecommendationJob AutoMLJob AutomationExecution BackupJob "
    "CalculationExecution CompilationJob DurableExecution EvaluationJob HyperParameterTuningJob "
    "LabelingJob ModelCustomizationJob ModelInvocationJob OptimizationJob PipelineExecution "
    "ProcessingJob Query ReplicationToReplica StackSetOperation Task TrainingJob TransformJob",
    "Submit": "MultiRegionAccessPointRoutes",
    "Suspend": "Processes",
    "Switchover": "ReadReplica",
    "Tag": "InstanceProfile LogGroup MFADevice OpenIDConnectProvider Policy Queue Resource Role "
    "SAMLProvider ServerCertificate User",
    "Terminate": "InstanceInAutoScalingGroup Job ResponsibilityTransfer ServiceJob",
    "Unarchive": "Findings",
    "Unassign": "Ipv6Addresses PrivateIpAddresses PrivateNatGatewayAddress",
    "Unlock": "Snapshot",
    "Unmonitor": "Instances",
    "Untag": "InstanceProfile LogGroup MFADevice OpenIDConnectProvider Policy Queue Resource Role "
    "SAMLProvider ServerCertificate User",
    "Update": "AccountPasswordPolicy ApprovalRuleTemplateContent ApprovalRuleTemplateDescription "
    "ApprovalRuleTemplateName AssociationStatus AssumeRolePolicy "
    "BucketMetadataInventoryTableConfiguration BucketMetadataJournalTableConfiguration "
    "CapacityManagerMonitoredTagKeys CapacityManagerOrganizationsAccess ClusterConfig "
    "ClusterSettings ClusterSoftware ClusterVersion ContainerAgent ContainerInstancesState "
    "ContinuousBackups ContributorInsights Crl DefaultBranch DeliveryConfiguration "
    "DocumentDefaultVersion DocumentMetadata EndpointWeightsAndCapacities FeatureMetadata "
    "FileSystemProtection Findings FindingsFeedback FunctionCode FunctionConfiguration "
    "FunctionEventInvokeConfig GlobalSettings GlobalTableSettings Image ImageStorageClass "
    "InferenceComponentRuntimeConfig JobPriority JobStatus KeyDescription "
    "KinesisStreamingDestination MaintenanceWindowTarget MaintenanceWindowTask "
    "ManagedInstanceRole MemberDetectors MonitoringAlert NodegroupConfig NodegroupVersion "
    "NotebookMetadata OpenIDConnectProviderThumbprint OrganizationConfiguration PipelineExecution "
    "PipelineVersion PrimaryRegion PullRequestApprovalRuleContent RecoveryPointIndexSettings "
    "RecoveryPointLifecycle RegionSettings RepositoryDescription RepositoryEncryptionKey "
    "RepositoryName ResourceShare ResponsibilityTransfer RoleDescription SSHPublicKey "
    "SecurityGroupRuleDescriptionsEgress SecurityGroupRuleDescriptionsIngress ServerCertificate "
    "ServiceJob ServicePrimaryTaskSet ServiceSetting SigningCertificate TableReplicaAutoScaling "
    "TaskProtection TerminationProtection TimeToLive TrainingJob",
    "Upload": "SSHPublicKey ServerCertificate SigningCertificate",
}
"""First words of administrative verbs → the things that they change."""

ADMIN = " ".join(
    f"{word}{thing}"
    for words, things in CHANGES.items()
    for word in words.split()
    for thing in things.split()
)
CLASSES = {**NAMED, "admin": ADMIN}
