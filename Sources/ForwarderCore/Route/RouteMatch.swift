// What the table of routes says of one query.

/// The route that a query takes.
struct RouteMatch: Equatable {
    var action: RouteAction
    /// Whether answers that came this way are kept.
    var caches: Bool
    /// Labels of the matched domain; 0 = the root.
    var labels: Int
    /// Place of the route in the settings.
    var index: Int
}
