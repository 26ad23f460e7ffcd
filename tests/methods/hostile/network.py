"""Attacks by the network: every way out must be closed. The host listens, and must hear nothing."""

import socket

from toolbox import Blocked, Breach, parameter, try_all


def _connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as client:
        client.settimeout(3)
        client.connect(address)
        client.sendall(b"out")


def socket_to_loopback():
    port = parameter("port")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"out", ("127.0.0.1", port))  # tells nothing here: the host must not hear it
    try_all(
        [
            ("127.0.0.1", _connect, socket.AF_INET, ("127.0.0.1", port)),
            ("::1", _connect, socket.AF_INET6, ("::1", port)),
        ]
    )


def socket_to_private_address():
    port = parameter("port")
    attempts = [(f"address {i}", _connect, socket.AF_INET, (a, port)) for i, a in enumerate(parameter("addresses"), 1)]
    attempts += [("cloud metadata", _connect, socket.AF_INET, ("169.254.169.254", 80))]
    attempts += [("datagram", _connect, socket.AF_INET, ("10.0.0.1", 53), socket.SOCK_DGRAM)]
    try_all(attempts)


def socket_by_name():
    port = parameter("port")
    names = ["host.containers.internal", "host.docker.internal", "gateway.docker.internal", "example.org"]
    reasons = set()
    for name in [*parameter("names"), *names]:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except OSError as error:
            reasons.add(error.strerror)
            continue
        for family, _, _, _, address in found:
            try:
                _connect(family, address)
            except OSError as error:
                reasons.add(error.strerror)
            else:
                raise Breach(f"connected to {name}")
    raise Blocked("; ".join(sorted(reasons)))


def socket_of_the_host():
    """Unix sockets: one of the test by its abstract name, and those of container engines by their usual paths."""
    usual = [
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
        "/run/dbus/system_bus_socket",
    ]
    places = {"by name": "\0" + parameter("abstract"), "by path": parameter("socket")}
    places |= {place.rpartition("/")[2]: place for place in usual}
    try_all([(what, _connect, socket.AF_UNIX, place) for what, place in places.items()])


def socket_below_the_network():
    """Sockets that no network namespace holds back: raw packets need a right, VM sockets a host that listens."""
    attempts = [
        ("packets", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
        ("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    ]
    # 1 is this machine itself, 2 the machine that it runs on.
    attempts += [(f"vm {cid}", _connect, socket.AF_VSOCK, (cid, parameter("port"))) for cid in (1, 2)]
    try_all(attempts)
