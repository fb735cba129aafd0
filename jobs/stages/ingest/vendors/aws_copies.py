"""Where copies and exports of AWS go, from the parameters of calls as CloudTrail logs them.

A call of the kind names a bucket, a location outside of AWS, or an ARN in another account.
"""

from __future__ import annotations

from jobs.stages.ingest.vendors.aws_openings import OWN

PARAMETERS = "r.requestParameters"
# Databases, tables, logs, images; locations of DataSync and FSx. Such a location may be the source
# or the target of its tasks.
BUCKETS = (
    *(
        f"{PARAMETERS}.{name}"
        for name in (
            "s3BucketName",
            "s3Bucket",
            "destination",
            "bucket",
            "exportToS3.s3Bucket",
            "s3ExportLocation.s3Bucket",
        )
    ),
    f"regexp_replace({PARAMETERS}.s3BucketArn, '^arn:[^:]*:s3:::', '')",
    f"regexp_extract({PARAMETERS}.dataRepositoryPath, '^s3://([^/]+)', 1)",
)
BUCKET = f"coalesce({', '.join(f'''nullif({name}, '')''' for name in BUCKETS)})"
OUTSIDE = (
    "verb rlike '^(Create|Update)Location(ObjectStorage|AzureBlob|Hdfs|Nfs|Smb)$"
    "|^StartFileTransfer$'"
)
"""SQL of whether a verb names a place outside of AWS."""
ACCOUNT = (
    f"regexp_extract(concat_ws(' ', {PARAMETERS}.destinationBackupVaultArn, "
    f"{PARAMETERS}.destinations), 'arn:[^ :]*:[^ :]*:[^ :]*:([0-9]{{12}}):', 1)"
)
"""SQL of the account of a vault or file system; empty without one."""
COPIED_TO = (
    f"coalesce(concat('s3://', {BUCKET}), "
    f"case when {OUTSIDE} then concat('unknown://', verb) end, "
    f"case when {ACCOUNT} <> '' then nullif(concat('account://', {ACCOUNT}), {OWN}) end)"
)
"""SQL of the place of a copy; null for copies within the account.

The caller may name the account of a bucket (``s3BucketOwner``); that proves nothing."""
