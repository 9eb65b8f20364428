// Which changes of the network matter to the pools, and when they are looked at.

import CLinux
import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct NetworkViewTests {
    static let home = NetworkAddress(ipv4: 0xc000_0201)
    static let other = NetworkAddress(ipv4: 0xcb00_7101)
    static let server = NetworkAddress(ipv4: 0xc633_6435)
    static let gateway = NetworkAddress(ipv4: 0xc000_02fe)
    static let path = NetworkPath(source: home, link: 2, gateway: gateway)

    private struct Expected: Equatable {
        var rerouted = 0
        var cut = 0
        var asksRoutes = false
    }

    private func view(_ path: NetworkPath?, _ addresses: Set<NetworkAddress> = [home]) -> NetworkView {
        var view = NetworkView(addresses: addresses)
        view.paths.updateValue(path, forKey: NetworkViewTests.server)
        return view
    }

    @Test func whatMatters() {
        let path = NetworkViewTests.path
        var moved = path
        moved.source = NetworkViewTests.other
        var router = path
        router.gateway = NetworkAddress(ipv4: 0xc000_02fd)
        var unplugged = path
        unplugged.isUp = false
        let both: Set = [NetworkViewTests.home, NetworkViewTests.other]
        let none = Interruptions()
        let cases: [(NetworkView, NetworkView, Interruptions, Expected?)] = [
            // Nothing, or a container's address and its links.
            (view(path), view(path), none, nil),
            (view(path), view(path, both), none, nil),
            (view(path), view(path), Interruptions(links: [9], sources: [NetworkViewTests.other]), nil),
            // An address of somebody is gone: whoever is bound to it must know, nobody else.
            (view(path, both), view(path), none, Expected()),
            (view(path), view(moved, both), none, Expected(rerouted: 1, asksRoutes: true)),
            (view(path), view(router), none, Expected(rerouted: 1, asksRoutes: true)),
            (view(path), view(nil), none, Expected(cut: 1, asksRoutes: true)),
            (view(path), view(unplugged), none, Expected(cut: 1, asksRoutes: true)),
            (view(nil), view(path), none, Expected(rerouted: 1, asksRoutes: true)),
            (view(unplugged), view(path), none, Expected(rerouted: 1, asksRoutes: true)),
            (view(nil), view(nil), none, nil),
            (view(unplugged), view(unplugged), none, nil),
            // Away and back between two looks.
            (view(path), view(path), Interruptions(links: [2]), Expected(rerouted: 1, asksRoutes: true)),
            (
                view(path), view(path), Interruptions(sources: [NetworkViewTests.home]),
                Expected(rerouted: 1, asksRoutes: true)
            ),
            // A destination that was not there before has nothing to compare with.
            (NetworkView(addresses: [NetworkViewTests.home]), view(path), none, nil),
        ]
        for (index, (before, after, interrupted, expected)) in cases.enumerated() {
            let change = before.change(to: after, interrupted: interrupted)
            let got = change.map { Expected(rerouted: $0.rerouted, cut: $0.cut, asksRoutes: $0.asksRoutes) }
            #expect(got == expected, "case \(index)")
            #expect(change?.reopens ?? false == (expected?.rerouted ?? 0 > 0), "case \(index)")
        }
    }

    @Test func changesThatNobodyLookedAtJoin() {
        var one = NetworkChange(addresses: [NetworkViewTests.home])
        one.rerouted = 1
        one.asksRoutes = true
        let two = NetworkChange(addresses: [NetworkViewTests.other])
        one.merge(two)
        #expect(one.addresses == [NetworkViewTests.other] && one.asksRoutes && one.reopens)
    }

    @Test func eventsAreGathered() {
        let at = { (milliseconds: Int64) in Instant(nanoseconds: 0) + .milliseconds(milliseconds) }
        var debounce = Debounce()
        let atOnce = debounce.take(at(0))
        #expect(!atOnce)
        debounce.note(at(0))
        debounce.note(at(60))
        #expect(debounce.dueAt == at(160))
        var taken: [Bool] = []
        for time in Int64(159)...161 { taken.append(debounce.take(at(time))) }
        #expect(taken == [false, true, false])
        for time in stride(from: Int64(1_000), through: 3_000, by: 50) {
            debounce.note(at(time))
            taken.append(time < 1_500 && debounce.take(at(time)))
        }
        #expect(taken.count(where: \.self) == 1)
        #expect(debounce.dueAt == at(1_500), "events without end do not hold it up")
    }

    @Test func sleepIsToldOnce() {
        let second: Int64 = 1_000_000_000
        var watch = SuspendWatch(boottime: 100 * second, awake: 90 * second)
        // Boottime and time awake, then how long it slept.
        let readings: [(Int64, Int64, Int64?)] = [
            (110 * second, 100 * second, nil), (120 * second, 109 * second, nil),
            (220 * second, 110 * second, 99 * second), (221 * second, 111 * second, nil),
            // Held up for three seconds between the two readings: seen late, and no sleep afterwards.
            (230 * second, 123 * second, nil), (240 * second, 130 * second, nil),
            (Int64.max, Int64.min, nil), (0, 0, nil),
        ]
        for (boottime, awake, slept) in readings {
            let told = watch.sleep(boottime: boottime, awake: awake)
            #expect(told == slept.map { Interval(nanoseconds: $0) })
        }
    }

    // MARK: - The real kernel

    @Test func theKernelAnswers() throws {
        let kernel = try KernelRoutes()
        let loopback = NetworkAddress(ipv4: 0x7f00_0001)
        #expect(kernel.localAddresses()?.contains(loopback) == true)
        let path = try #require(kernel.path(to: NetworkAddress(ipv4: 0x7f00_0009)))
        #expect(path.source == loopback && path.gateway == nil && path.isUp)
        // Class E is routed nowhere.
        #expect(kernel.path(to: NetworkAddress(ipv4: 0xffff_ffff))?.gateway == nil)
        let watch = try NetworkWatch(destinations: [loopback] + NetworkWatch.anywhere)
        #expect(watch.addresses.contains(loopback))
        #expect(watch.look(now: Instant(nanoseconds: 0)) == nil)
        watch.note(NetlinkMessages.link(path.link, running: false))
        watch.take(now: Instant(nanoseconds: 0))
    }

    @Test func connectionsThatHaveLostTheirAddress() throws {
        let socket = try FileDescriptor(checking: cl_socket_datagram(4))
        let peer = Endpoint(address: NetworkAddress(ipv4: 0x7f00_0001), port: 9)
        #expect(cl_connect(socket.number, cl_address(peer)) == 0)
        let bound = try FileDescriptor(checking: cl_socket_datagram(4))
        #expect(cl_bind(bound.number, cl_address(NetworkAddress(ipv4: 0x7f00_0005))) == 0)
        #expect(cl_connect(bound.number, cl_address(peer)) == 0)
        let unconnected = try FileDescriptor(checking: cl_socket_datagram(4))
        for asksRoutes in [false, true] {
            var change = NetworkChange(addresses: [])
            change.asksRoutes = asksRoutes
            var check = BindingCheck(change)
            var stale: [Bool] = []
            for number in [socket.number, bound.number, unconnected.number] {
                stale.append(check.isStale(number, peer: peer))
            }
            // Any 127/8 is local for ever; but the kernel would choose another one for the second.
            #expect(stale == [false, asksRoutes, false])
        }
    }

    @Test func whoseFaultAnErrnoIs() {
        let cases: [(Int32, TransportFailure.Step, TransportFailure)] = [
            (99, .bind, .noPorts), (99, .connect, .networkUnreachable), (99, .transfer, .addressGone),
            (100, .transfer, .networkUnreachable), (101, .connect, .networkUnreachable),
            (64, .transfer, .networkUnreachable), (19, .transfer, .networkUnreachable),
            (113, .connect, .networkUnreachable), (113, .transfer, .hostUnreachable),
            (22, .connect, .networkUnreachable), (22, .transfer, .other(22)),
            (111, .transfer, .refused), (110, .transfer, .timedOut),
        ]
        for (code, step, expected) in cases {
            #expect(TransportFailure(errno: code, during: step) == expected, "errno \(code) during \(step)")
        }
        for failure in [TransportFailure.networkUnreachable, .addressGone] { #expect(failure.fault == .local) }
    }
}
