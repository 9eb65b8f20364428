// Pool events become at most one line a second for each kind and upstream; the queue is bounded; JSON is well formed.

import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct NoticeTests {
    private func second(_ n: Int64) -> Instant { Instant(nanoseconds: n * 1_000_000_000) }

    @Test func foldsWithinASecond() throws {
        let queue = try NoticeQueue(level: .debug)
        var narrator = PoolNarrator(names: ["quad9", "other"], queue: queue)
        for _ in 0..<37 { narrator.tell(.failed(upstream: 0, network: .udp, failure: .timedOut), now: second(5)) }
        narrator.tell(.failed(upstream: 1, network: .udp, failure: .refused), now: second(5))
        #expect(queue.drain().notices.map(\.text) == ["quad9 udp: timeout", "other udp: refused"])
        #expect(narrator.holdsAny)
        narrator.flush(now: second(5))
        #expect(queue.drain().notices.isEmpty)
        narrator.flush(now: second(6))
        let told = queue.drain().notices
        #expect(told.map(\.text) == ["quad9 udp: timeout (36 times)"])
        #expect(told.map(\.count) == [36])
        #expect(!narrator.holdsAny)
    }

    @Test func levelsAreAskedFirst() throws {
        let queue = try NoticeQueue(level: .warning)
        var narrator = PoolNarrator(names: ["quad9"], queue: queue)
        narrator.tell(.opened(upstream: 0, network: .udp, reason: .growth, open: 3, ceiling: 10), now: second(1))
        narrator.tell(.atCeiling(upstream: 0, ceiling: 10, waiting: 12), now: second(1))
        #expect(queue.drain().notices.map(\.text) == ["quad9: at its ceiling of 10 connections, 12 queries wait"])
    }

    @Test func wording() {
        let table: [(PoolEvent, String)] = [
            (.opened(upstream: 0, network: .udp, reason: .growth, open: 3, ceiling: 10), "q udp: opened 3/10 (growth)"),
            (
                .closed(upstream: 0, network: .tcp, reason: .idle, open: 2, ceiling: 10),
                "q tcp: closed, 2/10 left (idle)"
            ),
            (.atCeiling(upstream: 0, ceiling: 1, waiting: 1), "q: at its ceiling of 1 connections, 1 query waits"),
            (.failed(upstream: 0, network: .udp, failure: .noPorts), "q udp: no free port, a failure of this machine"),
            (.learnedIdle(upstream: 0, .seconds(9)), "q: closes idle connections after 9 s"),
            (.down(upstream: 0), "q: does not answer"), (.up(upstream: 0), "q: answers again"),
        ]
        for (event, text) in table { #expect(PoolNarrator.words(event, name: "q").text == text) }
    }

    @Test func queueIsBounded() throws {
        let queue = try NoticeQueue(level: .info)
        for i in 0..<NoticeQueue.capacity + 7 { queue.post(Notice(.info, event: "e", "\(i)")) }
        let (notices, dropped) = queue.drain()
        #expect(notices.count == NoticeQueue.capacity)
        #expect(dropped == 7)
        #expect(queue.drain().dropped == 0)
    }

    @Test func jsonIsEscapedAndSeparated() {
        var json = JSONWriter()
        json.beginObject()
        json.field("a\"b", "x\\\n\t\u{1}é")
        json.beginArray("list")
        for n in [1, -2] {
            json.beginObject()
            json.field("n", n)
            json.endObject()
        }
        json.endArray()
        json.field("s", milliseconds: 1_050)
        json.field("t", true)
        json.endObject()
        #expect(
            json.text
                == "{\"a\\\"b\":\"x\\\\\\n\\t\\u0001é\",\"list\":[{\"n\":1},{\"n\":-2}],\"s\":1.050,\"t\":true}")
    }

    @Test func descriptorsAreKeptForThePools() {
        let endpoint = Endpoint(address: NetworkAddress(ipv4: 1), port: 53)
        let listen = [ListenAddress(endpoint: endpoint, udp: true, tcp: true, text: "x")]
        let room = { WorkerGroup.clientRoom(descriptors: $0, pools: $1, workers: $2, listeners: listen) }
        #expect(room(64, 30, 1) == 16)
        #expect(room(1024, 30, 2) == 969)
        #expect(room(24, 30, 2) == 2)
    }

    @Test func sumsOfPools() {
        let endpoint = Endpoint(address: NetworkAddress(ipv4: 1), port: 53)
        var one = WorkerReport()
        one.pools = [PoolStatistics(upstream: "a", address: endpoint, network: "udp")]
        one.pools[0].opened[OpenReason.growth.rawValue] = 3
        one.pools[0].active = 2
        one.counters.socketCalls = 5
        one.counters.epollWaitCalls = 1
        var two = one
        two.pools.append(PoolStatistics(upstream: "a", address: endpoint, network: "tcp"))
        var sum = GroupReport()
        sum.add(one)
        sum.add(two)
        #expect(sum.pools.map(\.network) == ["udp", "tcp"])
        #expect(sum.pools[0].opened[OpenReason.growth.rawValue] == 6)
        #expect(sum.pools[0].active == 4)
        #expect(sum.counters.socketCalls == 10)
        // Every named counter and every system call must be part of the sum.
        var all = WorkerCounters()
        all.add(sum.counters)
        #expect(all == sum.counters)
    }
}
