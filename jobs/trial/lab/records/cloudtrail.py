"""CloudTrail: sessions, S3 and STS calls of AWS."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from jobs.trial.lab.feed import REGION, Feed, key_of, uuid_of
from jobs.trial.lab.world import ACCOUNT, Asset, Person

READ_ONLY = {
    "GetObject",
    "HeadObject",
    "ListObjects",
    "HeadBucket",
    "ListBuckets",
    "GetCallerIdentity",
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "GetBucketPolicy",
}
MANAGEMENT = READ_ONLY - {"GetObject", "HeadObject", "ListObjects"} | {
    "PutBucketPolicy", "StopLogging", "PutEventSelectors", "DeleteTrail", "UpdateTrail",
    "PutBucketLogging", "PutBucketReplication",
}  # fmt: skip
ERRORS = {"AccessDenied": "Access Denied", "NoSuchKey": "The specified key does not exist."}


@dataclass
class Session:
    """A caller in CloudTrail: identity JSON, address, user agent, and how requests are signed."""

    identity: str
    ip: str
    agent: str
    authentication: str = "AuthHeader"


def _role_id(feed: Feed, role: str) -> str:
    if role not in feed.role_ids:
        feed.role_ids[role] = key_of(next(feed.hexadecimal), "AROA")
    return feed.role_ids[role]


def _assumed(feed: Feed, role: str, session: str, key: str, created: float) -> str:
    """userIdentity JSON of an assumed role session."""
    rid = _role_id(feed, role)
    path = "aws-reserved/sso.amazonaws.com/" if role.startswith("AWSReservedSSO") else ""
    return (
        f'{{"type":"AssumedRole","principalId":"{rid}:{session}","arn":"arn:aws:sts::{ACCOUNT}:'
        f'assumed-role/{role}/{session}","accountId":"{ACCOUNT}","accessKeyId":"{key}",'
        f'"sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{rid}","arn":'
        f'"arn:aws:iam::{ACCOUNT}:role/{path}{role}","accountId":"{ACCOUNT}","userName":"{role}"}},'
        f'"attributes":{{"creationDate":"{feed.stamp(created)}Z","mfaAuthenticated":"false"}}}}}}'
    )


def sign_in(
    feed: Feed, p: Person, t: float, ip: str, agent: str | None = None, chain: str | None = None
) -> Session:
    """A person's or service's session; `chain` names a role assumed under an opaque name."""
    agent = agent or p.agent
    if p.kind == "service":
        host = p.user_id + ip
        name = "i-0" + feed.static_keys.setdefault(host, next(feed.hexadecimal))[:16]
        return Session(
            _assumed(feed, p.role, name, key_of(next(feed.hexadecimal)), t - 900), ip, agent
        )
    if p.iam_user:
        user = p.name.replace(" ", ".").lower()
        key = feed.static_keys.setdefault(p.user_id, key_of(next(feed.hexadecimal), "AKIA"))
        base = (
            f'{{"type":"IAMUser","principalId":"{key.replace("AKIA", "AIDA")}","arn":"arn:aws:'
            f'iam::{ACCOUNT}:user/{user}","accountId":"{ACCOUNT}","accessKeyId":"{key}",'
            f'"userName":"{user}"}}'
        )
    else:
        tier = "Research" if p.team in ("pretraining", "posttraining", "evals") else "Engineering"
        base = _assumed(
            feed,
            f"AWSReservedSSO_{tier}_5f1e0c{len(tier):02d}a9",
            p.email,
            key_of(next(feed.hexadecimal)),
            t - 1800,
        )
    session = Session(base, ip, agent)
    if chain is None:
        return session
    serial = int(t - 300 * next(feed.uniform))
    name = (
        f"slurm-{feed.sequence}"
        if chain == "slurm-job-runner"
        else f"botocore-session-{serial}"
        if chain == "data-reader"
        else f"aws-go-sdk-{serial}123400000"
    )
    return Session(assume(feed, session, t - 20, chain, name), ip, agent)


def role_session(feed: Feed, role: str, name: str, t: float, ip: str, agent: str) -> Session:
    """A session of a role under a name, of whose opening there is no record."""
    return Session(_assumed(feed, role, name, key_of(next(feed.hexadecimal)), t), ip, agent)


def foreign_session(account: str, principal: str, ip: str, agent: str) -> Session:
    """A caller of another account, of whom CloudTrail names the account and an opaque id."""
    identity = f'{{"type":"AWSAccount","principalId":"{principal}","accountId":"{account}"}}'
    return Session(identity, ip, agent)


def open_bucket(feed: Feed, t: float, who: Session, asset: Asset, account: str) -> None:
    """A bucket policy that lets another account read."""
    statement = (
        '{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'
        f'{account}:root"}},"Action":["s3:GetObject","s3:ListBucket"],"Resource":'
        f'["arn:aws:s3:::{asset.bucket}","arn:aws:s3:::{asset.bucket}/*"]}}'
    )
    params = (
        f'{{"bucketName":"{asset.bucket}","Host":"{asset.bucket}.s3.{REGION}.amazonaws.com",'
        f'"policy":"","bucketPolicy":{{"Version":"2012-10-17","Statement":[{statement}]}}}}'
    )
    call(feed, t, who, "PutBucketPolicy", params=params, asset=asset.asset_id)


def replicate(feed: Feed, t: float, who: Session, asset: Asset, bucket: str, account: str) -> None:
    """A rule that replicates a bucket into one of another account."""
    rule = (
        f'{{"Status":"Enabled","ID":"copy","Destination":{{"Bucket":"arn:aws:s3:::{bucket}",'
        f'"Account":"{account}","AccessControlTranslation":{{"Owner":"Destination"}}}}}}'
    )
    params = (
        f'{{"bucketName":"{asset.bucket}","Host":"{asset.bucket}.s3.{REGION}.amazonaws.com",'
        f'"replication":"","ReplicationConfiguration":{{"Role":"arn:aws:iam::{ACCOUNT}:role/'
        f'replication","Rule":{rule}}}}}'
    )
    call(feed, t, who, "PutBucketReplication", params=params)


def assume(feed: Feed, by: Session, t: float, role: str, name: str) -> str:
    """Log an AssumeRole call and return the userIdentity JSON of the new session."""
    key, rid = key_of(next(feed.hexadecimal)), _role_id(feed, role)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    params = (
        f'{{"roleArn":"arn:aws:iam::{ACCOUNT}:role/{role}","roleSessionName":"{name}",'
        '"durationSeconds":3600}'
    )
    response = (
        f'{{"credentials":{{"accessKeyId":"{key}","sessionToken":"HIDDEN_DUE_TO_SECURITY_REASONS",'
        f'"expiration":"{feed.stamp(t + 3600)}Z"}},"assumedRoleUser":{{"assumedRoleId":'
        f'"{rid}:{name}","arn":"{arn}"}}}}'
    )
    call(feed, t, by, "AssumeRole", params=params, response=response, service="sts")
    return _assumed(feed, role, name, key, t)


def call(
    feed: Feed,
    t: float,
    who: Session,
    name: str,
    *,
    params: str = "null",
    response: str = "null",
    extra: str = "",
    resources: str = "",
    service: str = "s3",
    error: str = "",
    asset: str = "",
    item: str = "",
    moved: int = 0,
) -> None:
    """One CloudTrail record."""
    if not feed.inside(t):
        return
    event_id, req = uuid_of(next(feed.hexadecimal)), next(feed.hexadecimal)
    fail = f'"errorCode":"{error}","errorMessage":"{ERRORS[error]}",' if error else ""
    manage = name in MANAGEMENT
    category = "Management" if manage else "Data"
    more = f'"additionalEventData":{{{extra}}},' if extra else ""
    res = f'"resources":[{resources}],' if resources else ""
    feed.note("aws_cloudtrail", t, event_id, asset, item, moved)
    feed.add(
        "aws_cloudtrail",
        t,
        (
            f'{{"eventVersion":"1.10","userIdentity":{who.identity},"eventTime":"{feed.stamp(t)}Z",'
            f'"eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{REGION}",'
            f'"sourceIPAddress":"{who.ip}","userAgent":"{who.agent}",{fail}"requestParameters":{params},'
            f'"responseElements":{response},{more}"requestID":"{req[:16].upper()}","eventID":'
            f'"{event_id}","readOnly":{"true" if name in READ_ONLY else "false"},{res}'
            f'"eventType":"AwsApiCall","managementEvent":{"true" if manage else "false"},'
            f'"recipientAccountId":"{ACCOUNT}","eventCategory":"{category}"}}'
        ),
    )


def _extra(feed: Feed, out: int, received: int = 0, signed: str = "AuthHeader") -> str:
    u = next(feed.uniform)
    head = (
        '"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn"'
        f':{received},"AuthenticationMethod":"{signed}"'
    )
    if u < 0.02:  # not always filled in
        return head
    return f'{head},"bytesTransferredOut":{float(out) if u < 0.2 else out}'


def s3(
    feed: Feed,
    t: float,
    who: Session,
    name: str,
    bucket: str,
    key: str = "",
    *,
    size: int = 0,
    span: tuple[int, int] | None = None,
    error: str = "",
    asset: str = "",
    listing: str | None = None,
) -> None:
    """One object or bucket call; `span` is the byte range of a ranged read."""
    host = f'"bucketName":"{bucket}","Host":"{bucket}.s3.{REGION}.amazonaws.com"'
    owner = f'{{"accountId":"{ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}'
    out = 0 if error else int(150 * next(feed.uniform))
    if listing is not None:
        host += f',"list-type":"2","prefix":"{listing}"'
        out = 0 if error else int(400 + 90_000 * next(feed.uniform))
    if key:
        host += f',"key":"{key}"'
        owner = f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}},{owner}'
    got = 0
    if name == "GetObject" and not error:
        got = out = size if span is None else span[1] - span[0] + 1
    if span is not None:
        host += f',"Range":"bytes={span[0]}-{span[1]}"'
    if error:
        out = 243
    taken = key if got else ""
    call(
        feed,
        t,
        who,
        name,
        params=f"{{{host}}}",
        resources=owner,
        error=error,
        asset=asset,
        extra=_extra(feed, out, size if name == "PutObject" else 0, who.authentication),
        item=taken,
        moved=got,
    )


def copy(
    feed: Feed,
    t: float,
    who: Session,
    asset: Asset,
    index: int,
    bucket: str,
    account: str,
    prefix: str = "",
) -> None:
    """A server-side copy of one object into another bucket: almost no bytes come back."""
    source = f"{asset.bucket}/{asset.keys[index]}"
    key = prefix + asset.keys[index]
    params = (
        f'{{"bucketName":"{bucket}","Host":"{bucket}.s3.{REGION}.amazonaws.com","key":"{key}",'
        f'"x-amz-copy-source":"{"/" if next(feed.uniform) < 0.3 else ""}{quote(source, safe="")}"}}'
    )
    parts = [
        f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}}',
        f'{{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}',
        f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{source}"}}',
        f'{{"accountId":"{ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{asset.bucket}"}}',
    ]
    if next(feed.uniform) < 0.4:
        parts = parts[2:] + parts[:2]
    call(
        feed,
        t,
        who,
        "CopyObject",
        params=params,
        resources=",".join(parts),
        extra=_extra(feed, 224 + int(66 * next(feed.uniform))),
        asset=asset.asset_id,
        item=asset.keys[index],
        moved=asset.sizes[index],
    )


def read(
    feed: Feed, t: float, who: Session, asset: Asset, index: int, parts: int = 1, pace: float = 2.0
) -> float:
    """GET one object whole or in ranged parts; returns when the last part began."""
    place, size = (asset.bucket, asset.keys[index]), asset.sizes[index]
    if parts <= 1 or size < 1 << 20:
        s3(feed, t, who, "GetObject", *place, size=size, asset=asset.asset_id)
        return t
    step = -(-size // parts)
    for low in range(0, size, step):
        span = (low, min(size, low + step) - 1)
        s3(feed, t, who, "GetObject", *place, asset=asset.asset_id, size=size, span=span)
        t += pace * next(feed.uniform)
    return t
