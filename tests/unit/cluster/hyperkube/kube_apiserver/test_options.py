"""What the flags of kube-apiserver come to, and which do not go together."""

from __future__ import annotations

import pathlib

import pytest

from pybernetes.apiserver.authn import frontproxy
from pybernetes.apiserver.authn import settings as authentication
from pybernetes.apiserver.authn.oidc import settings as oidc
from pybernetes.apiserver.authz import webhook
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.kube_apiserver import command, flags, options
from tests.fakes import webhooks


def read(*words: str) -> options.Options:
    return options.read(flags_.parse(flags.TABLE, words), address=lambda: "192.0.2.7")


def refused(*words: str) -> str:
    with pytest.raises(flags_.FlagError) as caught:
        read(*words)
    return str(caught.value)


def test_defaults() -> None:
    got = read("--data-dir=/d")
    assert (got.store, got.port, got.bind, got.advertise) == ("sqlite", 6443, "0.0.0.0", "192.0.2.7")
    assert got.certificates == pathlib.Path("/d/pki")
    assert got.authorization == ("AlwaysAllow",)
    assert not got.anonymous
    assert got.issuers == got.audiences == ("https://kubernetes.default.svc.cluster.local",)
    assert not got.allow_privileged
    assert (got.event_ttl, got.compaction_interval) == (3600.0, 300.0)
    assert got.node_ports == (30000, 32767)
    assert got.service_cidr == "10.0.0.0/24"


def test_etcd(tmp_path: pathlib.Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text("x")
    words = [f"--etcd-{flag}={tmp_path / name}" for flag, name in (("cafile", "ca"), ("certfile", "cert"))]
    got = read("--etcd-servers=https://a:2379,https://b:2379", *words, f"--etcd-keyfile={tmp_path / 'key'}")
    assert got.store == "etcd"
    assert got.etcd == options.Etcd(
        servers=("https://a:2379", "https://b:2379"),
        ca=tmp_path / "ca",
        client=options.Pair(tmp_path / "cert", tmp_path / "key"),
        prefix="/registry",
    )
    assert refused("--store=etcd") == "--etcd-servers must be specified"
    assert "contradict" in refused("--store=memory", "--etcd-servers=http://a")
    assert f"--etcd-cafile={tmp_path / 'ca'}" in words
    assert refused(words[0]) == "--etcd-cafile needs --etcd-servers"


def test_addresses() -> None:
    assert read("--bind-address=192.0.2.1").advertise == "192.0.2.1"
    assert read("--bind-address=::", "--advertise-address=192.0.2.9").advertise == "192.0.2.9"
    assert "must match public address family" in refused("--bind-address=fd00::1")
    assert read("--bind-address=fd00::1", "--service-cluster-ip-range=fd01::/108").service_cidr == "fd01::/108"
    assert read("--service-cluster-ip-range=10.0.0.1/24,fd01::/108").service_cidr == "10.0.0.0/24,fd01::/108"
    assert "must be of different IP family" in refused("--service-cluster-ip-range=10.0.0.0/24,10.1.0.0/24")
    assert "more than two" in refused("--service-cluster-ip-range=10.0.0.0/24,fd01::/108,fd02::/108")


def test_access() -> None:
    got = read("--authorization-mode=Node,RBAC", "--service-account-issuer=a", "--service-account-issuer=b")
    assert got.authorization == ("Node", "RBAC")
    assert got.anonymous
    assert got.issuers == ("a", "b")
    assert got.audiences == ("a",)
    assert not read("--authorization-mode=RBAC", "--anonymous-auth=false").anonymous
    assert read("--api-audiences=x,y").audiences == ("x", "y")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--secure-port=0"], "--secure-port 0 must be between 1 and 65535, inclusive. It cannot be turned off with 0"),
        (["--tls-cert-file=/etc/hostname"], "--tls-cert-file and --tls-private-key-file must be specified together"),
        (["--client-ca-file=/nowhere"], "--client-ca-file: /nowhere: No such file or directory"),
        (["--service-account-key-file=/nowhere"], "--service-account-key-file: /nowhere: No such file or directory"),
        (["--token-auth-file=/"], "--token-auth-file: /: Is a directory"),
        (["--service-account-issuer="], "service-account-issuer should not be an empty string"),
        (
            ["--service-account-issuer=a", "--service-account-issuer=a"],
            'service-account-issuer "a" is already specified',
        ),
        (["--authorization-mode="], "at least one authorization-mode must be passed"),
        (
            ["--authorization-mode=ABAC"],
            'authorization-mode "ABAC" is not a valid mode; there are: AlwaysAllow, AlwaysDeny, Node, RBAC, Webhook',
        ),
        (
            ["--authorization-mode=RBAC,RBAC"],
            'authorization-mode "RBAC,RBAC" has mode specified more than once',
        ),
        (
            ["--enable-admission-plugins=Priority", "--disable-admission-plugins=Priority"],
            "[Priority] in enable-admission-plugins and disable-admission-plugins overlapped",
        ),
        (["--runtime-config=apps/v9=true"], "--runtime-config: group version apps/v9 that has not been registered"),
        (["--event-ttl=-1s"], "--event-ttl can not be negative value"),
        (["--store=paper"], '--store "paper" invalid, allowed values: sqlite, memory, etcd'),
        (
            ["--storage-media-type=application/yaml"],
            '--storage-media-type "application/yaml" invalid, allowed values: application/json',
        ),
        (["--etcd-prefix=x"], '--etcd-prefix "x" must begin with /'),
    ],
)
def test_what_is_wrong(words: list[str], why: str) -> None:
    assert refused(*words) == why


def test_unknown_plugins() -> None:
    why = refused("--enable-admission-plugins=Nonsense,LimitRanger")
    assert why.startswith('enable-admission-plugins plugin "Nonsense" is unknown; there are: AlwaysAdmit, Namespace')
    assert read("--disable-admission-plugins=Priority").admission_off == {"Priority"}


def test_all_that_is_wrong_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--secure-port=0", "--store=paper"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("kube-apiserver: ")
    assert "-h" in lines[-1]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["-h"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{flag.name}" in text for flag in flags.TABLE)
    assert all(f"{flag.group}:" in text for flag in flags.TABLE)
    assert max(map(len, text.splitlines())) <= 120


def test_the_guides_flags() -> None:
    got = read("--insecure-bind-address=0.0.0.0", "--insecure-port=8080", "--etcd-servers=http://127.0.0.1:2379")
    assert got.insecure == ("0.0.0.0", 8080)
    assert read("--address=0.0.0.0", "--port=8080").insecure == ("0.0.0.0", 8080)
    assert read().insecure is None
    got = read("--admission-control=NamespaceLifecycle,ServiceAccount")
    assert got.admission_on == {"NamespaceLifecycle", "ServiceAccount"}
    assert "ResourceQuota" in got.admission_off
    assert not got.admission_on & got.admission_off
    assert "mutually exclusive" in refused("--admission-control=ServiceAccount", "--disable-admission-plugins=Priority")
    assert "--insecure-port 70000 must be between" in refused("--insecure-port=70000")


def test_limits() -> None:
    got = read("--max-requests-inflight=10", "--max-mutating-requests-inflight=5", "--request-timeout=2m")
    assert (got.fairness, got.max_reads, got.max_writes, got.request_timeout) == (True, 10, 5, 120.0)
    none = ("--max-requests-inflight=0", "--max-mutating-requests-inflight=0")
    assert "are not both 0" in refused(*none)
    assert not read(*none, "--enable-priority-and-fairness=false").fairness
    assert "--max-requests-inflight can not be negative value" in refused("--max-requests-inflight=-1")
    assert "--request-timeout must be positive" in refused("--request-timeout=0s")


def test_audit(tmp_path: pathlib.Path) -> None:
    (tmp_path / "p").write_text("x")
    policy = f"--audit-policy-file={tmp_path / 'p'}"
    assert read().audit is None
    assert "needs --audit-log-path or" in refused(policy)
    got = read(policy, "--audit-log-path=-").audit
    assert got is not None
    assert (got.log, got.logging.wait, got.logging.largest, got.webhook) == ("-", 0.0, 0, None)
    got = read(
        policy,
        f"--audit-webhook-config-file={tmp_path / 'p'}",
        "--audit-webhook-batch-max-wait=5s",
        "--audit-webhook-truncate-enabled",
    ).audit
    assert got is not None
    assert got.sending == options.Batching(
        buffer=10000, size=400, wait=5.0, largest=102400, together=10485760, strict=False
    )
    got = read(policy, "--audit-log-path=-", "--audit-log-mode=blocking-strict").audit
    assert got is not None
    assert got.logging.strict
    modes = '"batch,blocking,blocking-strict"'
    assert refused("--audit-log-mode=slow") == f"invalid audit log mode slow, allowed modes are {modes}"
    assert "must be a positive number" in refused("--audit-webhook-batch-max-size=0")
    assert read("--audit-log-batch-max-size=0").audit is None
    assert "audit truncate log max event size 0, must be" in refused("--audit-log-truncate-max-event-size=0")
    assert (
        refused("--audit-log-truncate-max-batch-size=7")
        == "invalid audit truncate log max batch size 7, must be greater than max event size (102400)"
    )
    assert refused("--audit-log-maxage=-1") == "--audit-log-maxage -1 can't be a negative number"
    assert "No such file" in refused("--audit-policy-file=/none", "--audit-log-path=-")


class TestAuthentication:
    def test_defaults(self) -> None:
        assert read().authentication == authentication.Authentication()

    def test_a_provider(self, tmp_path: pathlib.Path) -> None:
        ca = tmp_path / "ca"
        ca.write_bytes(webhooks.authority().ca.read_bytes())
        words = ["--oidc-issuer-url=https://a", "--oidc-client-id=b", f"--oidc-ca-file={ca}"]
        (found,) = read(*words, "--oidc-groups-claim=g", "--oidc-required-claim=x=y=z").authentication.providers
        assert (found.issuer.url, found.issuer.audiences) == ("https://a", ["b"])
        assert found.claimMappings.username == oidc.Prefixed(claim="sub", prefix="https://a#")
        assert found.claimMappings.groups == oidc.Prefixed(claim="g", prefix="")
        assert found.claimValidationRules == [oidc.ClaimRule(claim="x", requiredValue="y=z")]
        for prefix, claim, wanted in (("-", "sub", ""), ("p:", "sub", "p:"), ("", "email", "")):
            more = (f"--oidc-username-prefix={prefix}", f"--oidc-username-claim={claim}")
            (found,) = read(*words, *more).authentication.providers
            assert found.claimMappings.username.prefix == wanted

    def test_a_server_in_front(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "ca").write_text("x")
        words = [f"--requestheader-client-ca-file={tmp_path / 'ca'}"]
        assert refused(*words) == "empty value for --requestheader-username-headers"
        words += ["--requestheader-username-headers=X-Remote-User", "--requestheader-allowed-names=a,b"]
        assert read(*words).authentication.proxy == frontproxy.Settings(
            ca=b"x", allowed_names=("a", "b"), groups=(), extras=()
        )
        same = f"--client-ca-file={tmp_path / 'ca'}"
        assert "contain overlapping certificates" in refused(same, *words[:2])

    def test_a_file(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "config"
        file.write_text(
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
            "anonymous: {enabled: true, conditions: [{path: /livez}]}\n"
        )
        got = read(f"--authentication-config={file}", "--authorization-mode=RBAC")
        assert got.anonymous
        assert got.authentication.anonymous_paths == ("/livez",)
        assert "cannot be set when anonymous field" in refused(
            f"--authentication-config={file}", "--anonymous-auth=false"
        )
        file.write_text("kind: Odd")
        assert "is not an AuthenticationConfiguration" in refused(f"--authentication-config={file}")

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--oidc-issuer-url=https://a"], "oidc-issuer-url and oidc-client-id must be specified together"),
            (["--oidc-issuer-url=http://a", "--oidc-client-id=b"], "URL scheme must be https"),
            (["--oidc-signing-algs=HS256"], 'oidc: unsupported signing alg: "HS256"'),
            (["--service-account-jwks-uri=http://a"], "service-account-jwks-uri requires https scheme"),
            (["--service-account-max-token-expiration=5m"], "must be between 1 hour and 2^32 seconds"),
            (["--authentication-token-webhook-version=v2"], 'version "v2" invalid, allowed values: v1, v1beta1'),
            (["--authentication-config=/nowhere"], "--authentication-config: /nowhere: No such file or directory"),
        ],
    )
    def test_what_is_wrong(self, words: list[str], why: str) -> None:
        assert why in refused(*words)


class TestAuthorization:
    def test_a_webhook(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "config"
        file.touch()
        words = ["--authorization-mode=Node,Webhook", f"--authorization-webhook-config-file={file}"]
        assert read(*words, "--authorization-webhook-version=v1").authorization == (
            "Node",
            webhook.Settings(name="default", kubeconfig=file),
        )
        assert refused(words[0]) == "authorization-mode Webhook's authorization config file not passed"
        assert "without mode Webhook" in refused("--authorization-mode=RBAC", words[1])

    def test_a_file(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "config"
        file.write_text(
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"
            "authorizers: [{type: RBAC, name: rbac}]\n"
        )
        assert read(f"--authorization-config={file}").authorization == ("RBAC",)
        both = refused(f"--authorization-config={file}", "--authorization-mode=RBAC")
        assert "--authorization-config can not be specified when --authorization-mode" in both
        file.write_text("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n")
        assert "at least one authorization mode must be defined" in refused(f"--authorization-config={file}")
