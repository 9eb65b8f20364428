// What is to happen, the earliest first: a binary heap. What happens at one instant keeps the order of its scheduling.

import ForwarderCore

/// Events by time. Times count while the simulated machine is awake, so that a suspend moves all of them.
struct EventQueue<Event> {
    private struct Place {
        var at: Int64
        var order: Int64
        var slot: Int32

        func isBefore(_ other: Place) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    private var heap: [Place] = []
    private var events: [Event?] = []
    private var free: [Int32] = []
    private var order: Int64 = 0

    var isEmpty: Bool { heap.isEmpty }

    /// The time of the next event.
    var next: Instant? { heap.first.map { Instant(nanoseconds: $0.at) } }

    mutating func schedule(_ at: Instant, _ event: Event) {
        let slot: Int32
        if let last = free.popLast() {
            slot = last
            events[Int(slot)] = event
        } else {
            slot = Int32(events.count)
            events.append(event)
        }
        order += 1
        heap.append(Place(at: at.nanoseconds, order: order, slot: slot))
        rise(heap.count - 1)
    }

    /// Takes out the next event.
    mutating func take() -> Event? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        let slot = Int(first.slot)
        free.append(first.slot)
        defer { events[slot] = nil }
        return events[slot]
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { return }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(heap[parent]) else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
