"""The failures that are compared: what happens to the lab upstreams and when, and which queries are judged.

Used by compare.py. A scenario is data: how many lab upstreams over which transport, their options, the load and the
events in it (seconds of the run and a call). Judged are the queries sent from the failure on.
"""

from steady import SteadyLoad

FLOOD_ZONE = "bad.lab.example"


class Scenario:
    def __init__(self, key, title, text, labs=2, transport="udp", options=None, rate=200, seconds=8.0, begin=2.0,
                 end=None, is_dark=False, events=None, flood=0):
        self.key, self.title, self.text = key, title, text
        self.labs, self.transport, self.options = labs, transport, options or [{}] * labs
        self.rate, self.seconds, self.begin, self.end = rate, seconds, begin, end
        # While everything is dark nobody can answer: then only queries sent after its end are judged.
        self.is_dark = is_dark
        self.events = events or (lambda labs: [])
        self.flood = flood

    def name(self, mark):
        """Names of the load: with a flood, `flood` of each hundred lie in the zone that fails."""
        def make(number):
            zone = FLOOD_ZONE if number * 37 % 100 < self.flood else "lab.example"
            return f"q{number}-{mark}.{zone}"
        return make

    def load(self, port, labs, mark):
        return SteadyLoad(port, self.rate, name=self.name(mark), events=self.events(labs))


def is_ordinary(name):
    return not name.endswith(FLOOD_ZONE)


ALL = [
    Scenario(
        "first-dead", "first of three goes silent",
        "UDP, three upstreams; from second 2 on the first one drops everything.",
        labs=3, seconds=10.0, events=lambda labs: [(2, labs[0].black_hole)]),
    Scenario(
        "all-dead", "all silent for 20 s, then back",
        "UDP, three upstreams; all drop everything from second 2 to second 22. Judged: queries sent after that.",
        labs=3, rate=100, seconds=30.0, end=22.0, is_dark=True,
        events=lambda labs: [(2, lambda: [lab.black_hole() for lab in labs]),
                             (22, lambda: [lab.come_back() for lab in labs])]),
    Scenario(
        "restart-udp", "one of two restarts, UDP",
        "Two upstreams; the first is down (ICMP port unreachable) from second 2 to second 4.",
        end=4.0, events=lambda labs: [(2, labs[0].stop_listening), (4, labs[0].start_listening)]),
    Scenario(
        "restart-tls", "one of two restarts, DoT",
        "Two upstreams over DoT; the first resets its connections at second 2 and refuses new ones until second 4.",
        transport="tls", end=4.0,
        events=lambda labs: [(2, labs[0].stop_listening), (4, labs[0].start_listening)]),
    Scenario(
        "lossy", "one of two loses 20 %",
        "UDP, two upstreams; from second 2 on the first one drops 20 % of what arrives.",
        seconds=12.0, events=lambda labs: [(2, lambda: labs[0].set(loss=20.0))]),
    Scenario(
        "lossy-alone", "the only one loses 20 %",
        "UDP, one upstream, which drops 20 % of what arrives from second 2 on.",
        labs=1, seconds=12.0, events=lambda labs: [(2, lambda: labs[0].set(loss=20.0))]),
    Scenario(
        "flood", "one zone fails, 80 % of the load",
        "UDP, two upstreams; 500 queries/s, from second 2 on both answer SERVFAIL for the zone of 80 % of them. "
        "Judged: the other 20 %.",
        rate=500, flood=80,
        events=lambda labs: [(2, lambda: [lab.set(fail_zone=FLOOD_ZONE) for lab in labs])]),
    Scenario(
        "all-names-fail", "one of two fails every name",
        "UDP, two upstreams; from second 2 on the first one answers SERVFAIL to everything.",
        events=lambda labs: [(2, lambda: labs[0].set(rcode=2))]),
    Scenario(
        "stuck-tls", "connections of the only one go dead, DoT",
        "One upstream over DoT; at second 2 all its connections fall silent for ever without an end, new ones work.",
        labs=1, transport="tls", seconds=12.0,
        events=lambda labs: [(2, lambda: (labs[0].black_hole(), labs[0].come_back()))]),
    Scenario(
        "silent-tls", "one of two goes silent, DoT",
        "Two upstreams over DoT; from second 2 on the first accepts connections and says nothing, on old ones too.",
        transport="tls", seconds=10.0, events=lambda labs: [(2, labs[0].black_hole)]),
    Scenario(
        "slow-tail", "one of two is slow for 5 %",
        "UDP, two upstreams; from second 2 on the first one answers 5 % of its queries after 200 ms.",
        seconds=12.0, events=lambda labs: [(2, lambda: labs[0].set(slow_share=5.0, slow_delay=200))]),
]
