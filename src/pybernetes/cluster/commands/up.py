"""`pybernetes up`."""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from typing import IO

from pybernetes.client import kubeconfig
from pybernetes.cluster import credentials, layout, machine, node_marks, pki, progress, supervisor, sweep
from pybernetes.kits import clock as clocks

DESCRIPTION = """\
Start a one-node Kubernetes cluster on this machine and return when its node is Ready.

With the runtime `containerd` (the default) it runs real containers; that takes root, and the
packages containerd, runc, containernetworking-plugins, nftables and conntrack. With `simulated`
pods only seem to run: that takes neither, and is ready in about a second.

What the cluster holds survives `down` and `up`. A second `up` says that it is already up.

examples:
  pybernetes up
  pybernetes up --runtime simulated --store memory
  pybernetes up --runtime simulated --nodes 1000 --zones a,b,c --node-capacity cpu=64,memory=256Gi
  pybernetes up --store etcd --etcd-servers http://127.0.0.1:2379
  pybernetes up --data-dir /tmp/other --api-port 7443 --kubelet-port 11250
  pybernetes up --runtime-config apps/v1beta1=true,extensions/v1beta1=true
"""

TOOLS = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ctr": "containerd",
}
# A /16 has ranges for this many nodes; more of them need a wider network.
MANY_NODES, MANY_NODES_CIDR = 256, "10.128.0.0/9"
TICK, CROSS = "✓", "✗"
LAST_LINES = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--foreground", action="store_true", help="stay in the foreground until interrupted")
    parser.add_argument("--api-port", type=int, default=6443, metavar="PORT", help="of the API server (6443)")
    parser.add_argument("--kubelet-port", type=int, default=10250, metavar="PORT", help="of the kubelet (10250)")
    parser.add_argument(
        "--store",
        choices=("sqlite", "memory", "etcd"),
        default="sqlite",
        help="where objects are kept: a file that survives, memory, or an etcd that runs already and that "
        "`down --purge` leaves alone (sqlite)",
    )
    parser.add_argument(
        "--etcd-servers", default="", metavar="URLS", help="of the members of one etcd, separated by commas"
    )
    parser.add_argument("--etcd-cafile", default="", metavar="FILE", help="who vouches for an etcd at https://")
    parser.add_argument("--etcd-certfile", default="", metavar="FILE", help="the client certificate for etcd")
    parser.add_argument("--etcd-keyfile", default="", metavar="FILE", help="its key")
    parser.add_argument(
        "--runtime", choices=("containerd", "simulated"), default="containerd", help="what runs pods (containerd)"
    )
    parser.add_argument("--node-name", default="", metavar="NAME", help="of this machine's node (the host name)")
    _add_simulation(parser)
    parser.add_argument(
        "--controllers",
        default="*",
        metavar="NAMES",
        help="which controllers run: '*' all that are on by default, 'foo' that one, '-foo' not that one, '' none "
        "(*); to try others against this API server",
    )
    parser.add_argument("--no-scheduler", action="store_true", help="leave scheduling to somebody else")
    parser.add_argument(
        "--no-dns", action="store_true", help="leave the Service kube-dns, where pods ask for names, to somebody else"
    )
    parser.add_argument(
        "--legacy-service-account-tokens",
        action="store_true",
        help="make a token Secret for every service account, as clusters did before 1.24",
    )
    parser.add_argument(
        "--load-balancer-pool",
        default="",
        metavar="RANGES",
        help="addresses for Services of type LoadBalancer: 10.0.0.0/28,10.0.0.1-10.0.0.9",
    )
    parser.add_argument(
        "--token-auth-file", default="", metavar="FILE", help="static bearer tokens: lines of token,user,uid,groups"
    )
    parser.add_argument(
        "--runtime-config",
        default="",
        metavar="VERSIONS",
        help="switch versions or resources of the API on and off: api/beta=true, batch/v1/cronjobs=false, ...",
    )
    parser.add_argument(
        "--no-kubeconfig",
        action="store_true",
        help="do not add the context `pybernetes` to ~/.kube/config (or $KUBECONFIG)",
    )


def _add_simulation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "simulated nodes",
        "With --runtime simulated. Up to ten nodes have a kubelet each, with volumes, logs and exec; more of them "
        "play their pods by script alone, and tell as events only what goes wrong. `kubectl apply` of a Node with "
        'the annotation simulated.pybernetes.io/node: "true" adds one more.',
    )
    group.add_argument("--nodes", type=int, default=1, metavar="N", help="how many (1)")
    group.add_argument("--zones", default="", metavar="ZONES", help="to deal the nodes out to: a,b,c")
    group.add_argument("--node-labels", default="", metavar="LABELS", help="of every node: key=value,...")
    group.add_argument("--node-taints", default="", metavar="TAINTS", help="of every node: key=value:Effect,...")
    group.add_argument(
        "--node-capacity", default="", metavar="AMOUNTS", help="of every node: cpu=8,memory=64Gi,pods=250,..."
    )
    group.add_argument(
        "--scripts",
        default="",
        metavar="FILE",
        help="YAML that says what images do: '*/web:*': {start-seconds: 2, ready: [3, 20, 25]}, ...",
    )


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    pid = supervisor.running_pid(paths)
    if pid:
        print(f"The cluster is already up (process {pid}). `pybernetes status` says more, `pybernetes down` stops it.")
        return 0
    options = _options(arguments)
    problem = _problem(options)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    try:
        machine_lock = supervisor.lock_machine(paths, options)
    except supervisor.MachineTaken as taken:
        print(taken, file=sys.stderr)
        return 1
    if machine_lock is not None:
        machine_lock.close()
    sweep.end_leftovers(paths)
    problem = _taken_port(options)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    _prepare(paths, options)
    if arguments.foreground:
        return _supervise(paths, options, sys.stdout)
    return _in_background(paths, options)


def _options(arguments: argparse.Namespace) -> layout.Options:
    simulated = arguments.runtime == "simulated"
    network = {"cluster_cidr": MANY_NODES_CIDR} if arguments.nodes > MANY_NODES else {}
    return layout.Options(
        **network,
        nodes=arguments.nodes,
        zones=arguments.zones,
        node_labels=arguments.node_labels,
        node_taints=arguments.node_taints,
        node_capacity=arguments.node_capacity,
        scripts=_absolute(arguments.scripts),
        api_port=arguments.api_port,
        store=arguments.store,
        runtime=arguments.runtime,
        node_name=arguments.node_name or machine.node_name(),
        node_ip="127.0.0.1" if simulated else machine.address(),
        kubelet_port=arguments.kubelet_port,
        controllers=arguments.controllers,
        scheduler=not arguments.no_scheduler,
        dns=not arguments.no_dns,
        legacy_tokens=arguments.legacy_service_account_tokens,
        load_balancer_pool=arguments.load_balancer_pool,
        token_auth_file=_absolute(arguments.token_auth_file),
        runtime_config=arguments.runtime_config,
        etcd_servers=arguments.etcd_servers,
        etcd_cafile=_absolute(arguments.etcd_cafile),
        etcd_certfile=_absolute(arguments.etcd_certfile),
        etcd_keyfile=_absolute(arguments.etcd_keyfile),
        merge_kubeconfig=not arguments.no_kubeconfig,
    )


def _absolute(file: str) -> str:
    """For the processes to come, which do not run in this directory."""
    return str(pathlib.Path(file).absolute()) if file else ""


def _problem(options: layout.Options) -> str:
    """Why this machine cannot run it, and what to do; "" if it can."""
    for file in (options.token_auth_file, options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile):
        if file and not os.access(file, os.R_OK):
            return f"{file} cannot be read."
    if options.store == "etcd" and not options.etcd_servers:
        return "The store `etcd` takes --etcd-servers, such as http://127.0.0.1:2379."
    if options.store != "etcd" and options.etcd_servers:
        return "--etcd-servers is for --store etcd."
    if bool(options.etcd_certfile) != bool(options.etcd_keyfile):
        return "--etcd-certfile and --etcd-keyfile go together."
    if options.runtime_config:
        from pybernetes.apiserver.resources import table as resources

        try:
            resources.kinds(resources.parse_runtime_config(options.runtime_config))
        except ValueError as error:
            return f"--runtime-config: {error}"
    if options.controllers != "*":
        from pybernetes.controllers import run as controllers

        try:
            controllers.chosen(options.controllers)
        except ValueError as error:
            return f"--controllers: {error}."
    if options.load_balancer_pool:
        from pybernetes.controllers.loadbalancer import pool

        try:
            pool.Pool(options.load_balancer_pool.split(","))
        except ValueError as error:
            return f"--load-balancer-pool: {error}"
    if options.runtime == "simulated":
        return _problem_of_simulation(options)
    if options.nodes != 1 or options.zones or options.node_labels or options.node_capacity or options.scripts:
        return (
            "--nodes, --zones, --node-labels, --node-taints, --node-capacity and --scripts are for --runtime simulated."
        )
    if os.geteuid() != 0:
        return "Running containers takes root: try `sudo pybernetes up`, or `pybernetes up --runtime simulated`."
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    from pybernetes.cluster import containerd

    if not (containerd.plugin_directory() / "bridge").exists():
        missing.append("containernetworking-plugins")
    if missing:
        names = " ".join(missing)
        return f"Missing: {names}. Install with `apt-get install {names}`, or try `--runtime simulated`."
    return ""


def _taken_port(options: layout.Options) -> str:
    """Which port the cluster would listen on that somebody else does, and what to do; "" if there is none."""
    host, kubelets = "0.0.0.0", 1
    if options.runtime == "simulated":
        from pybernetes.cluster import simulated

        host, kubelets = "127.0.0.1", options.nodes if options.nodes <= simulated.KUBELETS else 0
    wanted = [("--api-port", options.api_port)]
    wanted += [("--kubelet-port", options.kubelet_port + number) for number in range(kubelets)]
    for flag, port in wanted:
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            return f"Port {port} cannot be had ({why}). Is there another cluster? {flag} chooses another port."
    return ""


def _problem_of_simulation(options: layout.Options) -> str:
    from pybernetes.cluster import simulated
    from pybernetes.kubelet.fleet import nodes

    if options.nodes < 1:
        return "--nodes takes a number from 1."
    try:
        node_marks.taints(options.node_taints)
        nodes.parse_capacity(options.node_capacity)
        simulated.read_scripts(options.scripts)
    except (ValueError, OSError) as error:
        return f"That cannot be simulated: {error}."
    return ""


def _prepare(paths: layout.Layout, options: layout.Options) -> None:
    """Certificates, kubeconfigs, and the options for the processes to come."""
    paths.data.mkdir(parents=True, exist_ok=True)
    paths.logs.mkdir(exist_ok=True)
    paths.run.mkdir(parents=True, exist_ok=True)
    authority = pki.Pki(paths.pki, clocks.SystemClock())
    authority.service_account_key()
    identity = credentials.Credentials(paths, options, authority)
    identity.server_tls()
    identity.kubelet_serving()
    identity.kubelet_client_tls()
    identity.write_kubeconfigs()
    options.write(paths.options)


def _supervise(paths: layout.Layout, options: layout.Options, out: IO[str]) -> int:
    """Be the supervisor, and print the steps."""
    import asyncio

    clock = clocks.SystemClock()
    started = clock.monotonic()

    def tell(step: progress.Step) -> None:
        if step.step == "ready":
            _finish(paths, options, clock.monotonic() - started, out)
        else:
            _show(step, clock.monotonic() - started, out)

    with supervisor.held(paths, options):
        return asyncio.run(supervisor.Supervisor(paths, options, clock=clock, tell=tell).run())


def _in_background(paths: layout.Layout, options: layout.Options) -> int:
    """Start the supervisor as a process of its own, and show its steps until the cluster is ready."""
    clock = clocks.SystemClock()
    started = clock.monotonic()
    reading, writing = os.pipe()
    with paths.log("supervisor").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "pybernetes", "run-supervisor", "--data-dir", str(paths.data),
             "--progress", str(writing)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(writing,), start_new_session=True,
        )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as steps:
        for line in steps:
            step = progress.read(line)
            if step is None:
                continue
            if step.step == "ready":
                _finish(paths, options, clock.monotonic() - started, sys.stdout)
                return 0
            _show(step, clock.monotonic() - started, sys.stdout)
            if step.failed:
                break
    child.terminate()
    child.wait()
    print(f"The cluster did not start. The logs are in {paths.logs}; the end of them:", file=sys.stderr)
    for name in ("supervisor", "server", "node"):
        for text in _tail(paths.log(name)):
            print(f"  {name}: {text}", file=sys.stderr)
    return 1


def _show(step: progress.Step, seconds: float, out: IO[str]) -> None:
    mark = CROSS if step.failed else TICK
    print(f" {mark} {step.text}  ({seconds:.1f} s)", file=out, flush=True)


def _finish(paths: layout.Layout, options: layout.Options, seconds: float, out: IO[str]) -> None:
    merged = _merge_kubeconfig(paths) if options.merge_kubeconfig else None
    print(f"\nThe cluster is up after {seconds:.1f} s. Go on with:", file=out)
    print("  pybernetes kubectl get nodes -o wide", file=out)
    print("  pybernetes kubectl create deployment web --image=docker.io/library/busybox:1 -- sleep infinity", file=out)
    if merged is not None:
        print(f"\nkubectl's context `pybernetes` is current in {merged}.", file=out)
    else:
        print(f"\nThe kubeconfig is {paths.kubeconfig}.", file=out)
    print("`pybernetes status` tells how it is, `pybernetes down` stops it.", file=out, flush=True)


def _merge_kubeconfig(paths: layout.Layout) -> pathlib.Path | None:
    target = user_kubeconfig()
    try:
        merged = kubeconfig.merged(kubeconfig.read(target), kubeconfig.read(paths.kubeconfig))
        kubeconfig.write(target, merged)
    except (kubeconfig.KubeconfigError, OSError) as error:
        print(f"The context was not added to your kubeconfig: {error}", file=sys.stderr)
        return None
    return target


def user_kubeconfig() -> pathlib.Path:
    """Where kubectl looks: the first of $KUBECONFIG, or ~/.kube/config."""
    listed = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return pathlib.Path(listed) if listed else pathlib.Path.home() / ".kube" / "config"


def _tail(path: pathlib.Path) -> list[str]:
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-LAST_LINES:]
