"""Runs the server in a sandbox like the container of deploy/plitka.yaml, and has it draw.

    sudo .venv/bin/python -m benchmarks.sandbox

Needs root and Linux's `unshare`, `mount` and `setpriv`, and no container engine. What the manifest
says is what is tried: its user, its read-only root, no capabilities, no new privileges, the volumes
that it mounts, and under `seccompProfile` a filter that refuses what the default profile of
container engines refuses. The gate and Cog's server draw with both engines, `sdxl` being the small
model of the tests, and the sandbox itself is tried: writing outside of the volumes has to fail.
"""

import argparse
import ctypes
import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.recipes import TILE
from tests.support.server import cog_server

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "deploy" / "plitka.yaml"

_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "etc", "opt", "dev", "sys")
_SHM = "64m"  # of /dev/shm, as container engines make it
# What the default profile of Docker, containerd and CRI-O refuses a process without capabilities.
_REFUSED = (
    *("acct", "add_key", "bpf", "chroot", "clock_settime", "delete_module", "fanotify_init"),
    *("finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_mempolicy", "init_module"),
    *("ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie"),
    *("mbind", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages", "nfsservctl"),
    *("open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd", "pivot_root"),
    *("process_madvise", "quotactl", "quotactl_fd", "reboot", "request_key", "set_mempolicy"),
    *("set_mempolicy_home_node", "setdomainname", "sethostname", "setns", "settimeofday"),
    *("swapoff", "swapon", "syslog", "umount2", "unshare", "uselib", "userfaultfd", "ustat"),
    *("vhangup", "io_uring_setup", "io_uring_enter", "io_uring_register"),
)
_NEW_USERS = 0x10000000  # a flag of unshare
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # libseccomp's actions


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sandbox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--step", choices=("enter", "draw"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    container = read_container()
    if options.step == "enter":
        enter(container, options.folder)
    if options.step == "draw":
        return draw(container, options.folder)
    if os.geteuid() != 0:
        parser.error("needs root, to mount what the container sees; start it with sudo")
    with tempfile.TemporaryDirectory(prefix="plitka-sandbox-", dir="/var/tmp") as folder:
        _save_small_model(Path(folder))
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--propagation", "private"]
        return subprocess.run(
            [*command, *_step("enter", Path(folder))], cwd=ROOT, check=False
        ).returncode


def read_container() -> Mapping[str, Any]:
    """Read the manifest's container; its pod's security context is taken for its own."""
    for document in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")):
        if document["kind"] == "Deployment":
            pod = document["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            context = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
            return {**container, "securityContext": context}
    raise ValueError(f"{MANIFEST}: has no Deployment")


def _step(name: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.sandbox", "--step", name, "--folder", str(folder)]


def _save_small_model(folder: Path) -> None:
    from tests.support import small_sdxl

    folder.chmod(0o755)
    (folder / "root").mkdir()
    settings = small_sdxl.save(folder / "model").settings()
    (folder / "settings.json").write_text(json.dumps(settings))
    for file in (folder / "model").rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)  # safetensors writes for the owner alone


# Entering: as root, in namespaces of its own


def enter(container: Mapping[str, Any], folder: Path) -> None:
    """Build the container's root, go there, give up what it gives up, and go on with `draw`."""
    root, context = folder / "root", container["securityContext"]
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    python = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    shown = {*(Path("/", name) for name in _SYSTEM), *python, ROOT, folder}
    for path in sorted(shown, key=lambda path: len(path.parts)):  # .venv lies in ROOT
        _show(path, root)
    (root / "proc").mkdir()
    _mount("-t", "proc", "proc", root / "proc")
    _mount("-t", "tmpfs", "-o", f"mode=1777,size={_SHM}", "tmpfs", root / "dev" / "shm")
    for volume in container["volumeMounts"]:
        place = root / volume["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", "mode=1777,size=1g", "tmpfs", place)
    if context.get("readOnlyRootFilesystem"):
        _mount("-o", "remount,ro", root)
    os.chroot(root)
    os.chdir(ROOT)
    command = ["setpriv", "--clear-groups", "--inh-caps=-all"]
    for name, flag in (("runAsUser", "reuid"), ("runAsGroup", "regid")):
        command += [f"--{flag}={context[name]}"] if name in context else []
    if "ALL" in context.get("capabilities", {}).get("drop", ()):
        command.append("--bounding-set=-all")
    if context.get("allowPrivilegeEscalation") is False:
        command.append("--no-new-privs")
    environment = {"PATH": os.defpath, "HOME": "/", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    os.execvpe(command[0], [*command, *_step("draw", folder)], environment)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _show(path: Path, root: Path) -> None:
    """Show a folder of this machine in the new root, read-only; a link as it is."""
    place = root / str(path).lstrip("/")
    if path.is_symlink():
        place.symlink_to(path.readlink())
    elif path.exists() and not place.exists():
        place.mkdir(parents=True)
        _mount("--bind" if path.name != "dev" else "--rbind", path, place)
        _mount("-o", "remount,bind,ro", place)


# Drawing: as the container's user


def draw(container: Mapping[str, Any], folder: Path) -> int:
    """Serve and draw with both engines; returns the exit status, and says what is amiss."""
    if container["securityContext"].get("seccompProfile", {}).get("type") == "RuntimeDefault":
        refuse_calls()
    faults = [*_check_bounds(container["securityContext"])]
    small = json.loads((folder / "settings.json").read_text())
    named = {entry["name"]: str(entry["value"]) for entry in container.get("env", ())}
    os.environ.update(named)
    tempfile.tempdir = None
    for engine in ("render", "sdxl"):
        with tempfile.TemporaryDirectory() as server_folder:
            env = {**named, **small, "PLITKA_ENGINE": engine}
            with cog_server(
                Path(server_folder), env, gate=True, arguments=("--port", "0")
            ) as server:
                health = server.health()
                if health["status"] != "READY":
                    print(server.log.read_text())
                    faults.append(f"{engine}: {health}")
                    continue
                body = server.predict(TILE).json()
                answers = [server.client.get(path).status_code for path in ("/live", "/ready")]
                print(f"{engine}: {body['status']}, {len(body.get('output') or ())} pictures")
                if body["status"] != "succeeded" or answers != [200, 200]:
                    faults.append(f"{engine}: {body.get('error')}, probes answer {answers}")
    print("written outside of the server's folder:", *_list_written(container) or ["nothing"])
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def refuse_calls() -> None:
    """Refuse this process, and all that it starts, what container engines refuse by default."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    refuse = ctypes.c_uint32(_ERRNO | errno.EPERM)
    for name in _REFUSED:
        call = library.seccomp_syscall_resolve_name(name.encode())
        library.seccomp_rule_add_array(context, refuse, call, 0, None)
    clone3 = library.seccomp_syscall_resolve_name(b"clone3")  # its flags are out of a filter's view
    library.seccomp_rule_add_array(context, ctypes.c_uint32(_ERRNO | errno.ENOSYS), clone3, 0, None)
    if library.seccomp_load(context) != 0:
        raise OSError("no filter of system calls could be loaded")


def _check_bounds(context: Mapping[str, Any]) -> list[str]:
    """What the sandbox should be and is not: a trial without bounds would show nothing."""
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    wanted = {
        "Uid": (context.get("runAsUser"), status["Uid"].split()[0]),
        "CapBnd": (0, str(int(status["CapBnd"], 16))),
        "CapEff": (0, str(int(status["CapEff"], 16))),
        "NoNewPrivs": (1, status["NoNewPrivs"]),
        "Seccomp": (2, status["Seccomp"]),
    }
    faults = [
        f"{name} is {is_}, not {want}" for name, (want, is_) in wanted.items() if str(want) != is_
    ]
    for place in (ROOT, Path("/"), Path.home(), Path("/usr"), Path("/etc")):
        try:
            (place / "written").touch()
            faults.append(f"{place} can be written to")
        except OSError:
            pass
    if ctypes.CDLL(None).unshare(_NEW_USERS) == 0:
        faults.append("a namespace of users can be made")
    return faults


def _list_written(container: Mapping[str, Any]) -> list[str]:
    volumes = [Path(volume["mountPath"]) for volume in container["volumeMounts"]]
    return sorted(
        str(path)
        for volume in (*volumes, Path("/dev/shm"))
        for path in volume.rglob("*")
        if path.is_file()
    )


if __name__ == "__main__":
    raise SystemExit(main())
