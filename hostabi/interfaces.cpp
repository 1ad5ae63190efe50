// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "hostabi/text-file.h"

namespace umbra::hostabi {

namespace {

u8 ones_of(u8 const* bytes, size_t count)
{
    int ones = 0;
    for (size_t i = 0; i < count; ++i)
        ones += std::popcount(bytes[i]);
    return u8(ones);
}

void take_address(ifaddrs const& one, HostInterface& into)
{
    HostInterface::Address address;
    if (one.ifa_addr->sa_family == AF_INET) {
        sockaddr_in value, mask;
        std::memcpy(&value, one.ifa_addr, sizeof value);
        address.bytes[10] = address.bytes[11] = 0xff;
        std::memcpy(&address.bytes[12], &value.sin_addr, sizeof value.sin_addr);
        if (!one.ifa_netmask) return;
        std::memcpy(&mask, one.ifa_netmask, sizeof mask);
        address.prefix = ones_of(reinterpret_cast<u8 const*>(&mask.sin_addr), sizeof mask.sin_addr);
        into.addresses.push_back(address);
    } else if (one.ifa_addr->sa_family == AF_INET6) {
        sockaddr_in6 value, mask;
        std::memcpy(&value, one.ifa_addr, sizeof value);
        std::memcpy(address.bytes.data(), &value.sin6_addr, address.bytes.size());
        if (!one.ifa_netmask) return;
        std::memcpy(&mask, one.ifa_netmask, sizeof mask);
        address.prefix = ones_of(mask.sin6_addr.s6_addr, sizeof mask.sin6_addr);
        into.addresses.push_back(address);
    } else if (one.ifa_addr->sa_family == AF_PACKET) {
        sockaddr_ll value;
        std::memcpy(&value, one.ifa_addr, sizeof value);
        std::copy_n(value.sll_addr, into.hardware_address.size(), into.hardware_address.begin());
    }
}

/// By the name of its interface.
std::map<std::string, std::array<u8, 4>> default_gateways()
{
    std::map<std::string, std::array<u8, 4>> found;
    std::ifstream table("/proc/net/route");
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string name, destination, gateway;
        words >> name >> destination >> gateway;
        if (destination != "00000000") continue;
        u32 const bytes = u32(std::strtoul(gateway.c_str(), nullptr, 16));
        std::array<u8, 4> address;
        std::memcpy(address.data(), &bytes, address.size());
        if (bytes) found.emplace(name, address);
    }
    return found;
}

} // namespace

std::vector<HostInterface> list_interfaces()
{
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) < 0) return {};
    std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> const holder(list, ::freeifaddrs);
    std::map<std::string, HostInterface> by_name;
    for (ifaddrs const* one = list; one; one = one->ifa_next) {
        auto& entry = by_name[one->ifa_name];
        entry.is_loopback = one->ifa_flags & IFF_LOOPBACK;
        entry.is_up = one->ifa_flags & IFF_UP;
        if (one->ifa_addr) take_address(*one, entry);
    }
    auto const gateways = default_gateways();
    std::vector<HostInterface> result;
    for (auto& [name, entry] : by_name) {
        entry.name = name;
        entry.index = i32(::if_nametoindex(name.c_str()));
        constexpr u64 usual_mtu = 1500;
        entry.mtu = i32(to_number(read_line(("/sys/class/net/" + name + "/mtu").c_str()), usual_mtu));
        if (auto const gateway = gateways.find(name); gateway != gateways.end())
            entry.gateway = gateway->second;
        result.push_back(std::move(entry));
    }
    std::ranges::sort(result, {}, &HostInterface::index);
    return result;
}

} // namespace umbra::hostabi
