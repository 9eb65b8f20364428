// swift-tools-version: 6.2
// Fleetwing: a forwarding DNS resolver daemon. docs/architecture.md tells how the targets fit together.
import PackageDescription

/// The settings of every Swift target: Swift 6 mode, strict memory safety, no warning left standing.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fleetwing",
    products: [
        .executable(name: "fleetwingd", targets: ["fleetwingd"]),
        .executable(name: "fleetwing", targets: ["fleetwing"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        // C borders.
        .target(name: "CLinux"),
        .target(name: "CTOML", cxxSettings: [.define("TOML_EXCEPTIONS", to: "0")]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        // The pure part: bytes, then decisions.
        .target(name: "DNSWire", swiftSettings: strict),
        .target(name: "ForwarderCore", dependencies: ["DNSWire"], swiftSettings: strict),

        // The shell around it.
        .target(name: "ForwarderSettings", dependencies: ["CTOML"], swiftSettings: strict),
        .target(
            name: "ForwarderRuntime", dependencies: ["ForwarderCore", "DNSWire", "CLinux", "COpenSSL", "CNghttp2"],
            swiftSettings: strict),
        .executableTarget(
            name: "fleetwingd",
            dependencies: ["ForwarderRuntime", "ForwarderSettings", "ForwarderCore", "DNSWire", "CLinux", "CSystemd"],
            swiftSettings: strict),
        .executableTarget(
            name: "fleetwing",
            dependencies: [
                "ForwarderSettings",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // The engine in virtual time, for tests and as a program; no product has it: scripts/build names what ships.
        .target(
            name: "Simulator", dependencies: ["ForwarderCore", "DNSWire"], path: "Tests/Simulator",
            swiftSettings: strict),
        .executableTarget(
            name: "simulate", dependencies: ["Simulator"], path: "Tests/Simulate", swiftSettings: strict),

        .testTarget(name: "DNSWireTests", dependencies: ["DNSWire"], swiftSettings: strict),
        .testTarget(name: "ForwarderCoreTests", dependencies: ["ForwarderCore", "DNSWire"], swiftSettings: strict),
        .testTarget(name: "ForwarderSettingsTests", dependencies: ["ForwarderSettings"], swiftSettings: strict),
        .testTarget(
            name: "ForwarderRuntimeTests",
            dependencies: ["ForwarderRuntime", "ForwarderCore", "DNSWire", "CLinux", "COpenSSL", "CNghttp2"],
            swiftSettings: strict),
        .testTarget(
            name: "ScenarioTests", dependencies: ["Simulator", "ForwarderCore", "DNSWire"], exclude: ["Scenarios"],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ],
    cxxLanguageStandard: .cxx17
)
