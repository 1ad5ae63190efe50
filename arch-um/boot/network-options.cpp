// SPDX-License-Identifier: GPL-2.0-or-later
// The values of --net and -p.
#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

#include "arch-um/boot/option-text.h"

namespace umbra::boot {

namespace {

constexpr std::string_view kSwitched = "switch:";

/// A number followed by one of the units, in units of the smallest; nothing: it is none, or not within [0, most].
struct Unit {
    std::string_view name;
    double size;
};
std::optional<double> parse_quantity(std::string_view text, std::span<Unit const> units, double most)
{
    for (Unit const& unit : units) {
        if (!text.ends_with(unit.name)) continue;
        double value = 0;
        if (!parse_decimal(text.substr(0, text.size() - unit.name.size()), value)) continue;
        value *= unit.size;
        if (value >= 0 && value <= most) return value;
    }
    return {};
}

// The units of tc(8). A longer name stands before one that it ends with.
constexpr Unit kTimes[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
constexpr Unit kShares[] = { { "%", 1e4 } };
constexpr Unit kRates[] = { { "kbit", 1e3 }, { "mbit", 1e6 }, { "gbit", 1e9 }, { "bit", 1 } };
constexpr double kLongestLatency = 60e9, kHighestRate = 1e12;

void take_impairment(std::string_view setting, drivers::Impairments& impairments)
{
    auto const equals = setting.find('=');
    auto const key = setting.substr(0, equals);
    auto const text = equals == setting.npos ? std::string_view() : setting.substr(equals + 1);
    auto take = [&](std::span<Unit const> units, double most, std::string const& right) {
        auto const value = parse_quantity(text, units, most);
        if (!value) usage_error("--net: " + quoted(setting) + " is not right: give " + right);
        return *value;
    };
    auto take_share
        = [&] { return u32(take(kShares, drivers::kMillion, "a share from 0% to 100%, such as 0.5%")); };
    if (key == "latency") {
        impairments.latency
            = Nanoseconds(take(kTimes, kLongestLatency, "a time up to 60s, such as 20ms or 500us"));
    } else if (key == "loss") {
        impairments.loss = take_share();
    } else if (key == "reorder") {
        impairments.reorder = take_share();
    } else if (key == "rate") {
        impairments.rate = u64(take(kRates, kHighestRate, "bits a second, such as 10mbit, 64kbit or 1gbit"));
        if (impairments.rate == 0)
            usage_error("--net: " + quoted(setting) + ": nothing would go through: give 1bit or more");
    } else if (key == "seed") {
        if (!parse_decimal(text, impairments.seed))
            usage_error("--net: " + quoted(setting) + " is not right: give a number from 0 to 2^64-1");
    } else {
        usage_error(
            "--net: " + quoted(setting) + " is not known: give latency=, loss=, reorder=, rate= or seed=");
    }
}

} // namespace

PortChoice parse_port(std::string_view text)
{
    auto bad = [&](std::string const& why) {
        usage_error("-p: " + quoted(text) + ": " + why
            + ": give [ADDRESS:]HOSTPORT:GUESTPORT[/udp], such as 8080:80 or 127.0.0.1:5353:53/udp");
    };
    PortChoice choice { .text = std::string(text), .host_port = 0, .guest_port = 0 };
    std::string_view rest = text;
    if (auto slash = rest.rfind('/'); slash != rest.npos) {
        std::string_view const protocol = rest.substr(slash + 1);
        if (protocol != "tcp" && protocol != "udp") bad(quoted(protocol) + " is neither tcp nor udp");
        choice.is_udp = protocol == "udp";
        rest = rest.substr(0, slash);
    }
    auto take_port = [&](std::string_view digits, char const* whose) {
        u32 port = 0;
        if (!parse_decimal(digits, port) || port == 0 || port > 65535)
            bad(quoted(digits) + " is no port of the " + whose + ", from 1 to 65535");
        return u16(port);
    };
    auto const last = rest.rfind(':');
    if (last == rest.npos) bad("there is no HOSTPORT:GUESTPORT in it");
    choice.guest_port = take_port(rest.substr(last + 1), "guest");
    rest = rest.substr(0, last);
    auto const colon = rest.rfind(':');
    choice.host_port = take_port(colon == rest.npos ? rest : rest.substr(colon + 1), "host");
    if (colon == rest.npos) return choice;
    std::string address(rest.substr(0, colon));
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
        if (::inet_pton(AF_INET6, address.c_str(), choice.address.data()) == 1) return choice;
    } else {
        choice.address[10] = choice.address[11] = 0xff;
        if (::inet_pton(AF_INET, address.c_str(), &choice.address[12]) == 1) return choice;
    }
    bad(quoted(rest.substr(0, colon)) + " is no address of the host");
    return choice;
}

NetworkChoice parse_network(std::string_view text)
{
    constexpr size_t longest_name = 32;
    if (text == "user") return { .kind = NetworkKind::user };
    if (text == "none") return { .kind = NetworkKind::none };
    if (text == "host") return { .kind = NetworkKind::host };
    if (!text.starts_with(kSwitched))
        usage_error("--net: " + quoted(text) + " is not known: give user, none, host or switch:NAME");
    auto rest = text.substr(kSwitched.size());
    auto const name = rest.substr(0, rest.find(','));
    auto is_plain
        = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
    if (name.empty() || name.size() > longest_name || !std::ranges::all_of(name, is_plain))
        usage_error("--net: " + quoted(name)
            + " is no name of a switch: give 1 to 32 letters, digits, dashes or underscores");
    NetworkChoice choice { .kind = NetworkKind::switched, .switch_name = std::string(name) };
    rest.remove_prefix(name.size());
    while (!rest.empty()) {
        rest.remove_prefix(1);
        auto const setting = rest.substr(0, rest.find(','));
        take_impairment(setting, choice.impairments);
        rest.remove_prefix(setting.size());
    }
    if (choice.impairments.reorder && !choice.impairments.latency)
        usage_error(
            "--net: reorder= without latency= does nothing, as no frame is late: give latency= as well");
    return choice;
}

} // namespace umbra::boot
