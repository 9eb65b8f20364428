// The rows of [[route]]: which queries go another way. The order is that of the default file.

extension Reference {
    /// Over all routes; a list of one route may hold as many.
    static let mostRouteDomains = 100_000

    static let route: [ReferenceKey] = [
        ReferenceKey(
            "route.domains", .list(most: mostRouteDomains), "[]",
            "Names that are matched with all below them; the longest match of all routes wins. Absent = every name."),
        ReferenceKey(
            "route.action", .word(["forward", "refuse", "nxdomain", "drop"]), #""forward""#,
            "What happens to a query that matches."),
        ReferenceKey("route.group", .text, #""""#, "The [group.NAME] that is asked ..."),
        ReferenceKey("route.upstreams", .list(), "[]", "... or names and URLs of upstreams straight away."),
        ReferenceKey(
            "route.clients", .list(), "[]",
            "Only for clients of these networks: loopback, private, any or CIDR. Of routes for one name the one with "
                + "more conditions wins, then the one with the narrower networks."),
        ReferenceKey("route.types", .list(), "[]", "Only for these types: A, AAAA, HTTPS, TYPE65, ..."),
        ReferenceKey("route.cache", .boolean, "true", "Whether answers that came this way are cached."),
    ]
}
