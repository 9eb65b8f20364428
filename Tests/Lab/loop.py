"""One epoll loop with timers: the lab upstream's only thread. Nothing in it may block.

Timers are a heap of (when, order, callable, arguments); a cancelled timer is one whose callable became None.
"""

import heapq
import select
import time


class Loop:
    def __init__(self):
        self.epoll = select.epoll()
        self.readers, self.masks = {}, {}
        self.timers, self.order = [], 0
        self.running = True

    def watch(self, fileno, callback, writing=False, reading=True):
        """Calls callback(readable, writable, hung_up) for a descriptor; again to change what is waited for."""
        mask = (select.EPOLLIN if reading else 0) | (select.EPOLLOUT if writing else 0)
        if fileno in self.readers:
            if self.masks[fileno] != mask:
                self.epoll.modify(fileno, mask)
        else:
            self.epoll.register(fileno, mask)
        self.readers[fileno], self.masks[fileno] = callback, mask

    def forget(self, fileno):
        if self.readers.pop(fileno, None):
            del self.masks[fileno]
            self.epoll.unregister(fileno)

    def later(self, seconds, callback, *arguments):
        """Calls back after a while; returns the timer for `cancel`."""
        self.order += 1
        timer = [time.monotonic() + seconds, self.order, callback, arguments]
        heapq.heappush(self.timers, timer)
        return timer

    @staticmethod
    def cancel(timer):
        timer[2] = None

    def _run_timers(self):
        now = time.monotonic()
        timers = self.timers
        while timers and timers[0][0] <= now:
            _, _, callback, arguments = heapq.heappop(timers)
            if callback:
                callback(*arguments)

    def run(self):
        while self.running:
            wait = -1
            if self.timers:
                wait = max(0, self.timers[0][0] - time.monotonic())
            for fileno, mask in self.epoll.poll(wait):
                callback = self.readers.get(fileno)
                if callback:
                    callback(bool(mask & select.EPOLLIN), bool(mask & select.EPOLLOUT),
                             bool(mask & (select.EPOLLHUP | select.EPOLLERR)))
            self._run_timers()
