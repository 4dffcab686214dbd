"""`pybernetes snapshot`."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import sys

from pybernetes import store as stores
from pybernetes.cluster import layout, supervisor
from pybernetes.cluster.commands import arguments as shared
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

DESCRIPTION = """\
Save all objects of the cluster in a file, while it is up, and put them back while it is down.

A snapshot holds what the API server stores: objects, Secrets among them, so that only you can read the
file. It does not hold certificates and keys (`pki` in the data directory), nor the contents of volumes.

examples:
  pybernetes snapshot save before.snapshot
  pybernetes down && pybernetes snapshot restore before.snapshot && pybernetes up
  pybernetes snapshot save --etcd-servers http://127.0.0.1:2379 before.snapshot
"""
SAVE = """\
Save all objects in a file. The cluster may be up, and goes on working meanwhile.

From an etcd it is etcd's own snapshot, as `etcdctl snapshot save` writes it.
"""
RESTORE = """\
Put the objects of a snapshot in place of those that the cluster has now; it must be down. What it has now
is kept beside the store, as store.replaced, until the next restore.

Revisions go on where they were, so that no client takes the restored objects for those it has seen.
"""
ETCDUTL = """\
The objects of this cluster are in etcd, which restores its snapshots itself. With its members and the API
servers stopped, on each member:
  etcdutl snapshot restore {file} --data-dir NEW-DATA-DIR
and start etcd with that directory. From etcd 3.6 on, add `--bump-revision 1000000000 --mark-compacted`, so
that no client takes the restored objects for those it has seen."""
ETCD_FILES = ("cafile", "certfile", "keyfile")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    save = _action(actions, "save", "save all objects in a file", SAVE)
    save.add_argument("file", type=pathlib.Path, metavar="FILE", help="written whole or not at all")
    save.add_argument("--etcd-servers", default="", metavar="URLS", help="of an etcd that `up` was not told of")
    for name in ETCD_FILES:
        save.add_argument(f"--etcd-{name}", default="", metavar="FILE", help=f"the {name} for --etcd-servers")
    restore = _action(actions, "restore", "put them back", RESTORE)
    restore.add_argument("file", type=pathlib.Path, metavar="FILE", help="what `snapshot save` has written")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    made = actions.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared.add_data_dir(made, suppressed=True)
    return made


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    try:
        return _save(paths, arguments) if arguments.action == "save" else _restore(paths, arguments.file)
    except (stores.Unavailable, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _save(paths: layout.Layout, arguments: argparse.Namespace) -> int:
    options, file = _options(paths), arguments.file
    if arguments.etcd_servers or options.store == "etcd":
        return asyncio.run(_save_etcd(arguments, options))
    if options.store == "memory":
        print("This cluster keeps its objects in memory only; `up --store sqlite` keeps them.", file=sys.stderr)
        return 1
    if not paths.database.exists():
        print(f"There is no cluster in {paths.data}.", file=sys.stderr)
        return 1
    from pybernetes.store import snapshot

    saved = snapshot.save(paths.database, file)
    print(f"Saved {saved.keys} objects, as of revision {saved.revision}, in {file} ({_size(saved.size)}).")
    return 0


async def _save_etcd(arguments: argparse.Namespace, options: layout.Options) -> int:
    from pybernetes.store import etcd
    from pybernetes.store.etcd import snapshot

    where = etcd.Options(
        servers=tuple(filter(None, (arguments.etcd_servers or options.etcd_servers).split(","))),
        cafile=arguments.etcd_cafile or options.etcd_cafile,
        certfile=arguments.etcd_certfile or options.etcd_certfile,
        keyfile=arguments.etcd_keyfile or options.etcd_keyfile,
    )
    saved = await snapshot.save(where, arguments.file, clock=clocks.SystemClock(), chance=chances.Chance())
    print(f"Saved etcd, as of revision {saved.revision} or later, in {arguments.file} ({_size(saved.size)}).")
    return 0


def _restore(paths: layout.Layout, file: pathlib.Path) -> int:
    pid = supervisor.running_pid(paths)
    if pid:
        print(f"The cluster is up (process {pid}); `pybernetes down` stops it.", file=sys.stderr)
        return 1
    store = _options(paths).store
    if store == "etcd":
        print(ETCDUTL.format(file=file), file=sys.stderr)
        return 1
    from pybernetes.store import snapshot

    before = paths.database.exists()
    restored = snapshot.restore(file, paths.database)
    print(f"Restored {restored.keys} objects, as of revision {restored.revision}.")
    if before:
        print(f"What was there before is in {snapshot.replaced(paths.database)}.")
    if store == "memory":
        print("The last `up` kept objects in memory: start it with `--store sqlite` to have these.")
    return 0


def _options(paths: layout.Layout) -> layout.Options:
    """Of the last `up`; the defaults where there has been none, as with `hyperkube kube-apiserver`."""
    try:
        return layout.Options.read(paths.options)
    except FileNotFoundError:
        return layout.Options()


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"
