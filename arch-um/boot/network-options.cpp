// SPDX-License-Identifier: GPL-2.0-or-later
// The values of --net and -p.
#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

#include "arch-um/boot/option-text.h"
#include "core/net/interface.h"

namespace umbra::boot {

namespace {

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

/// KEY=TEXT
struct Setting {
    explicit Setting(std::string_view setting)
        : whole(setting)
        , key(setting.substr(0, setting.find('=')))
        , text(key.size() == setting.size() ? std::string_view() : setting.substr(key.size() + 1))
    {
    }
    std::string_view whole, key, text;
};

/// False: it is none.
bool take_impairment(Setting const& setting, drivers::Impairments& impairments)
{
    std::string_view const whole = setting.whole, key = setting.key, text = setting.text;
    auto take = [&](std::span<Unit const> units, double most, std::string const& right) {
        auto const value = parse_quantity(text, units, most);
        if (!value) usage_error("--net: " + quoted(whole) + " is not right: give " + right);
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
            usage_error("--net: " + quoted(whole) + ": nothing would go through: give 1bit or more");
    } else if (key == "seed") {
        if (!parse_decimal(text, impairments.seed))
            usage_error("--net: " + quoted(whole) + " is not right: give a number from 0 to 2^64-1");
    } else {
        return false;
    }
    return true;
}

net::IpAddress parse_v4(Setting const& setting, std::string_view text)
{
    u8 bytes[4];
    if (::inet_pton(AF_INET, std::string(text).c_str(), bytes) != 1)
        usage_error("--net: " + quoted(setting.whole) + " is not right: give an address of IPv4, such as "
            + std::string(setting.key) + (setting.key == "address" ? "=192.168.7.2/24" : "=192.168.7.1"));
    return net::IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

/// False: it is none.
bool take_address(Setting const& setting, drivers::LinkAddresses& addresses)
{
    if (setting.key == "gateway") {
        addresses.gateway = parse_v4(setting, setting.text);
    } else if (setting.key == "dns") {
        addresses.name_server = parse_v4(setting, setting.text);
    } else if (setting.key == "address") {
        constexpr u32 longest = 30; // two for the net and for all
        auto const slash = setting.text.find('/');
        addresses.address = parse_v4(setting, setting.text.substr(0, slash));
        u32 prefix = 0;
        if (slash == setting.text.npos || !parse_decimal(setting.text.substr(slash + 1), prefix) || prefix < 1
            || prefix > longest)
            usage_error("--net: " + quoted(setting.whole)
                + " is not right: give the bits of the net as well, 1 to 30, such as "
                + "address=192.168.7.2/24");
        addresses.prefix = u8(prefix);
    } else {
        return false;
    }
    return true;
}

void check_addresses(drivers::LinkAddresses const& addresses, std::string const& given)
{
    if (addresses.prefix == 0)
        usage_error("--net: " + given + " needs the guest's address: give address=ADDRESS/BITS");
    net::InterfaceAddress const own { addresses.address, addresses.prefix };
    if (own.address.is_multicast() || own.address.is_loopback() || own.address == own.first()
        || own.address == own.last())
        usage_error(
            "--net: address=: " + net::text_of(own.address) + " is no address of a machine in its net");
    if (addresses.gateway && !own.covers(*addresses.gateway))
        usage_error("--net: gateway=: " + net::text_of(*addresses.gateway)
            + " is not on the guest's net: give one of the same first bits");
}

bool is_plain_name(std::string_view name, size_t longest)
{
    auto is_plain
        = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
    return !name.empty() && name.size() <= longest && std::ranges::all_of(name, is_plain);
}

void check_name(NetworkKind kind, std::string_view name)
{
    constexpr size_t longest_switch = 32, longest_device = 15;
    if (kind == NetworkKind::switched && !is_plain_name(name, longest_switch))
        usage_error("--net: " + quoted(name)
            + " is no name of a switch: give 1 to 32 letters, digits, dashes or underscores");
    if (kind == NetworkKind::tap && !is_plain_name(name, longest_device))
        usage_error("--net: " + quoted(name)
            + " is no name of a device: give 1 to 15 letters, digits, dashes or underscores");
    if (kind == NetworkKind::passt && name.empty())
        usage_error(
            "--net: passt: has no path: give that of passt's socket, such as passt:/tmp/passt_1.socket");
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
    if (text == "user") return { .kind = NetworkKind::user };
    if (text == "none") return { .kind = NetworkKind::none };
    if (text == "host") return { .kind = NetworkKind::host };
    constexpr std::pair<std::string_view, NetworkKind> named[] = { { "switch:", NetworkKind::switched },
        { "tap:", NetworkKind::tap }, { "passt:", NetworkKind::passt } };
    auto const* const found
        = std::ranges::find_if(named, [&](auto const& one) { return text.starts_with(one.first); });
    if (found == std::end(named))
        usage_error("--net: " + quoted(text)
            + " is not known: give user, none, host, switch:NAME, tap:NAME,address=.. or "
              "passt:PATH,address=..");
    auto rest = text.substr(found->first.size());
    NetworkChoice choice { .kind = found->second, .name = std::string(rest.substr(0, rest.find(','))) };
    check_name(choice.kind, choice.name);
    bool const has_addresses = choice.kind != NetworkKind::switched;
    rest.remove_prefix(choice.name.size());
    while (!rest.empty()) {
        rest.remove_prefix(1);
        Setting const setting(rest.substr(0, rest.find(',')));
        bool const is_known = take_impairment(setting, choice.impairments)
            || (has_addresses && take_address(setting, choice.addresses));
        if (!is_known)
            usage_error("--net: " + quoted(setting.whole) + " is not known: give "
                + (has_addresses ? "address=, gateway=, dns=, " : "")
                + "latency=, loss=, reorder=, rate= or seed=");
        rest.remove_prefix(setting.whole.size());
    }
    if (has_addresses) check_addresses(choice.addresses, std::string(text.substr(0, text.find(','))));
    if (choice.impairments.reorder && !choice.impairments.latency)
        usage_error(
            "--net: reorder= without latency= does nothing, as no frame is late: give latency= as well");
    return choice;
}

} // namespace umbra::boot
