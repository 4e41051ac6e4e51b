"""Starts and stops the control plane on loopback, with certificates, tokens and ports of its own.

No node belongs to it: Jobs get Pods, which tests play (see `tests.components.kubernetes.kubelet`).
"""

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from skydriver.local.processes import Child, Processes, free_ports, last_words

ADMIN_TOKEN = "admin-of-the-tests"
GO_ENVIRONMENT = {"GOGC": "400"}
"""Memory for processor time: a sixth of an API server's was its garbage collector's (pprof)."""
CONTROLLERS = (
    "job",
    "namespace",
    "garbagecollector",
    "ttl-after-finished",
    "serviceaccount",
    "root-ca-cert-publisher",
    "resourcequota",
    "podgc",
    "clusterrole-aggregation",
)
_SERVICES = "10.0.0.0/24"
_DEADLINE = 90.0


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane.

    Attributes:
        url: of the API server.
        ca: the certificate that it is to be checked with.
        kubeconfig: of its administrator.
    """

    url: str
    ca: Path
    kubeconfig: Path

    def client(self, token: str = ADMIN_TOKEN) -> httpx.AsyncClient:
        """Make an HTTP client that the API server knows as the holder of a token."""
        return httpx.AsyncClient(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.ca)),
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
        )

    def kubeconfig_of(self, token: str) -> str:
        """Make the content of a configuration file for programs that are the holder of a token."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "holder", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "holder"}}],
                "current-context": "test",
            }
        )


@asynccontextmanager
async def control_plane(binaries: Path, folder: Path) -> AsyncIterator[ControlPlane]:
    """Run etcd, kube-apiserver and kube-controller-manager while the context lasts.

    Args:
        binaries: the folder with the three programs.
        folder: an empty one, for their data, certificates and logs.

    Raises:
        RuntimeError: one of them ended or did not become ready, with its last words.
    """
    make_certificates(folder)
    (folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
    processes = Processes(folder / "processes")
    children: list[tuple[str, Child]] = []

    async def start(program: str, *arguments: str) -> None:
        child = await processes.start(
            program,
            [str(binaries / program), *arguments],
            environment={"HOME": str(folder), "PATH": "/usr/bin:/bin", **GO_ENVIRONMENT},
            folder=folder,
            output=folder / f"{program}.log",
        )
        children.append((program, child))

    port, of_controllers, *of_etcd = free_ports(4)
    etcd, peers = (f"http://127.0.0.1:{one}" for one in of_etcd)
    plane = ControlPlane(f"https://127.0.0.1:{port}", folder / "ca.crt", folder / "kubeconfig")
    plane.kubeconfig.write_text(plane.kubeconfig_of(ADMIN_TOKEN))
    try:
        await start(
            "etcd",
            *("--data-dir", "etcd", "--logger", "zap", "--log-level", "warn", "--unsafe-no-fsync"),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"default={peers}"),
        )
        await start("kube-apiserver", *_api_server_arguments(folder, etcd, port))
        await _ready(plane, folder, children)
        await start(
            "kube-controller-manager",
            f"--kubeconfig={plane.kubeconfig}",
            f"--authentication-kubeconfig={plane.kubeconfig}",
            f"--authorization-kubeconfig={plane.kubeconfig}",
            f"--root-ca-file={plane.ca}",
            f"--service-account-private-key-file={folder}/accounts.key",
            f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={of_controllers}",
            f"--cert-dir={folder}",
            # Quotas are counted soon enough for a test to see.
            "--resource-quota-sync-period=1s",
        )
        yield plane
    finally:
        for _, child in reversed(children):
            await child.end(10.0)


def _api_server_arguments(folder: Path, etcd: str, port: int) -> Iterable[str]:
    issuer = "https://kubernetes.default.svc"
    return (
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={_SERVICES}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={folder}/server.crt",
        f"--tls-private-key-file={folder}/server.key",
        f"--client-ca-file={folder}/ca.crt",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        f"--service-account-issuer={issuer}",
        f"--service-account-signing-key-file={folder}/accounts.key",
        f"--service-account-key-file={folder}/accounts.key",
    )


async def _ready(plane: ControlPlane, folder: Path, children: list[tuple[str, Child]]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _DEADLINE
    async with plane.client() as client:
        while True:
            for program, child in children:
                if child.exit_code is not None or loop.time() > end:
                    words = last_words(folder / f"{program}.log")
                    raise RuntimeError(f"{program} does not come up (exit code {child.exit_code}): {words}")
            try:
                if (await client.get("/readyz", timeout=2)).text == "ok":
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


def make_certificates(folder: Path, *names: str, addresses: Iterable[str] = ()) -> None:
    """Make a certificate authority, the API server's certificate, and the key that signs accounts' tokens.

    Args:
        folder: where they are put: `ca.crt`, `server.crt`, `server.key`, `accounts.key`.
        names: further host names of the API server.
        addresses: further IP addresses of it.
    """
    authority_key, server_key, accounts_key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "skydriver tests")])
    own_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    now = datetime.datetime.now(datetime.UTC)

    def certificate(key: rsa.RSAPrivateKey, common_name: str) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    signs = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    authority = (
        certificate(authority_key, "skydriver tests")
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(signs, critical=True)
        .add_extension(own_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    alternatives = x509.SubjectAlternativeName(
        [
            *(x509.DNSName(one) for one in ("localhost", *names)),
            *(x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", *addresses)),
        ]
    )
    server = (
        certificate(server_key, "kube-apiserver")
        .add_extension(alternatives, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    for file, content in (("ca.crt", authority), ("server.crt", server)):
        (folder / file).write_bytes(content.public_bytes(pem))
    for file, key in (("server.key", server_key), ("accounts.key", accounts_key)):
        form = serialization.PrivateFormat.TraditionalOpenSSL
        (folder / file).write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
        (folder / file).chmod(0o600)
