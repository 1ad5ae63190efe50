// SPDX-License-Identifier: GPL-2.0-or-later
// Headers of tar archives. Every number and every length comes from an archive that anybody may have made: it
// is checked against the archive's size before it is used.
#include "core/fs/tar/tar-reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/fs/tar/tar-block.h"

namespace umbra::fs {

namespace {

constexpr u64 kWindow = 4096; ///< one read mostly brings a header, a small file and the next header
constexpr u64 kMaxText = 1 << 20; ///< of a long name or an extended header
constexpr u64 kMaxPieces = 1 << 20;

u64 padded(u64 size) { return (size + kTarBlock - 1) & ~(kTarBlock - 1); }

std::optional<u64> decimal(std::string_view text)
{
    u64 value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "1234.5678", perhaps negative, as pax has it.
std::optional<abi::Timespec> timestamp(std::string_view text)
{
    i64 seconds = 0;
    auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc()) return std::nullopt;
    i64 nanoseconds = 0, unit = kNanosecondsPerSecond / 10;
    std::string_view rest(at, size_t(text.data() + text.size() - at));
    if (rest.starts_with('.'))
        for (char c : rest.substr(1)) {
            if (c < '0' || c > '9') return std::nullopt;
            nanoseconds += (c - '0') * unit;
            unit /= 10;
        }
    if (text.starts_with('-') && nanoseconds)
        return abi::Timespec { seconds - 1, kNanosecondsPerSecond - nanoseconds };
    return abi::Timespec { seconds, nanoseconds };
}

u32 type_bits(char type, bool trailing_slash)
{
    switch (type) {
    case '2':
        return abi::s_iflnk;
    case '3':
        return abi::s_ifchr;
    case '4':
        return abi::s_ifblk;
    case '5':
    case 'D': // GNU: a directory with the names it had
        return abi::s_ifdir;
    case '6':
        return abi::s_ififo;
    default:
        // Archives from before ustar mark a directory by its name only.
        return trailing_slash ? abi::s_ifdir : abi::s_ifreg;
    }
}

bool has_data(char type) { return type == '0' || type == '\0' || type == '7' || type == 'S' || type == 'D'; }

} // namespace

struct TarReader::Block : TarBlock { };

Errno TarReader::bad(std::string what)
{
    problem_ = std::move(what) + " at byte " + std::to_string(entry_position_);
    return err::inval;
}

Result<TarReader::Block const*> TarReader::block_at(u64 position)
{
    if (position > source_.size() || source_.size() - position < kTarBlock)
        return bad("the archive ends in the middle of an entry");
    auto memory = source_.memory();
    // A block is bytes only, so it may lie anywhere.
    if (!memory.empty()) return reinterpret_cast<Block const*>(memory.data() + position);
    if (position < window_position_ || position + kTarBlock > window_position_ + window_.size()) {
        window_.resize(kWindow);
        u64 count = TRY(source_.read(window_, position));
        window_.resize(count);
        window_position_ = position;
        if (count < kTarBlock) return bad("the archive ends in the middle of an entry");
    }
    return reinterpret_cast<Block const*>(window_.data() + (position - window_position_));
}

Result<std::string> TarReader::text_at(u64 position, u64 size)
{
    if (size > kMaxText) return bad("an extended header is too large");
    if (position > source_.size() || source_.size() - position < size)
        return bad("the archive ends in the middle of an entry");
    std::string text(size, '\0');
    u64 count = TRY(source_.read({ reinterpret_cast<u8*>(text.data()), size }, position));
    if (count < size) return bad("the archive ends in the middle of an entry");
    return text;
}

/// A block of zeroes ends the archive; so does its end, where a writer left the zeroes out.
Result<bool> TarReader::is_end(u64 position)
{
    if (position >= source_.size()) return true;
    auto const* block = TRY(block_at(position));
    return block->is_zero();
}

Result<std::optional<TarEntry>> TarReader::next()
{
    local_ = {};
    for (;;) {
        entry_position_ = position_;
        if (TRY(is_end(position_))) {
            if (position_ == 0 && source_.size() < kTarBlock) return bad("no tar archive: it is empty");
            return std::optional<TarEntry>();
        }
        Block header = *TRY(block_at(position_)); // a copy: the window moves on
        if (!header.checksum_matches())
            return bad(position_ == 0 ? "no tar archive: there is no tar header" : "damaged header");
        auto size = header.number(header.size);
        if (!size) return bad("a size that is no number");
        data_position_ = position_ + kTarBlock;
        if (TRY(take_extension_header(header, *size))) {
            position_ = data_position_ + padded(*size);
            continue;
        }
        return std::optional<TarEntry>(TRY(make_entry(header, *size)));
    }
}

/// Headers that say something about the next one. True if this was one of them.
Result<bool> TarReader::take_extension_header(Block const& header, u64 size)
{
    switch (header.type) {
    case 'x':
    case 'X': // Solaris
        TRY(read_extension(data_position_, size, local_));
        return true;
    case 'g':
        TRY(read_extension(data_position_, size, global_));
        return true;
    case 'L':
    case 'K': {
        auto text = TRY(text_at(data_position_, size));
        text.resize(std::strlen(text.c_str()));
        (header.type == 'L' ? local_.path : local_.link) = std::move(text);
        return true;
    }
    case 'V': // a volume's label
        return true;
    case 'M':
        return bad("part of a multi-volume archive");
    default:
        return false;
    }
}

/// Records of "LENGTH KEY=VALUE\n".
Result<void> TarReader::read_extension(u64 position, u64 size, Extension& out)
{
    auto text = TRY(text_at(position, size));
    std::string_view rest = text;
    while (!rest.empty() && rest[0] != '\0') {
        auto space = rest.find(' ');
        auto length = space == rest.npos ? std::nullopt : decimal(rest.substr(0, space));
        if (!length || *length <= space + 1 || *length > rest.size()) return bad("damaged extended header");
        auto record = rest.substr(space + 1, *length - space - 2);
        auto equals = record.find('=');
        if (equals == record.npos) return bad("damaged extended header");
        TRY(apply_record(record.substr(0, equals), record.substr(equals + 1), out));
        rest.remove_prefix(*length);
    }
    return {};
}

Result<void> TarReader::apply_record(std::string_view key, std::string_view value, Extension& out)
{
    constexpr std::string_view xattr = "SCHILY.xattr.", sparse = "GNU.sparse.";
    auto number = [&](auto& target) -> Result<void> {
        auto n = decimal(value);
        if (!n) return bad("an extended header with a " + std::string(key) + " that is no number");
        target = std::remove_reference_t<decltype(target)>(*n);
        return {};
    };
    auto time = [&](std::optional<abi::Timespec>& target) -> Result<void> {
        target = timestamp(value);
        return target ? Result<void>() : bad("an extended header with a bad " + std::string(key));
    };
    if (key == "path")
        out.path = value;
    else if (key == "linkpath")
        out.link = value;
    else if (key == "size")
        return number(out.size);
    else if (key == "uid")
        return number(out.uid);
    else if (key == "gid")
        return number(out.gid);
    else if (key == "mtime")
        return time(out.mtime);
    else if (key == "atime")
        return time(out.atime);
    else if (key == "ctime")
        return time(out.ctime);
    else if (key.starts_with(xattr))
        out.xattrs.emplace_back(key.substr(xattr.size()), value);
    if (!key.starts_with(sparse)) return {};
    out.is_sparse = true;
    key.remove_prefix(sparse.size());
    if (key == "name")
        out.sparse_name = value;
    else if (key == "major")
        return number(out.sparse_major);
    else if (key == "minor")
        return number(out.sparse_minor);
    else if (key == "realsize" || key == "size")
        return number(out.sparse_size);
    else if (key == "offset" || key == "numbytes")
        return number(out.sparse_numbers.emplace_back());
    else if (key == "map") {
        for (size_t at = 0; at <= value.size();) {
            auto end = std::min(value.find(',', at), value.size());
            auto n = decimal(value.substr(at, end - at));
            if (!n) return bad("a sparse map that is no list of numbers");
            out.sparse_numbers.push_back(*n);
            at = end + 1;
        }
    }
    return {};
}

void TarReader::apply_extension(Extension const& x, TarEntry& entry) const
{
    if (x.path) entry.path = *x.path;
    if (x.sparse_name) entry.path = *x.sparse_name;
    if (x.link) entry.link = *x.link;
    if (x.uid) entry.uid = u32(*x.uid);
    if (x.gid) entry.gid = u32(*x.gid);
    if (x.mtime) entry.mtime = *x.mtime;
    if (x.atime) entry.atime = x.atime;
    if (x.ctime) entry.ctime = x.ctime;
    for (auto const& attribute : x.xattrs)
        entry.xattrs.push_back(attribute);
}

Result<TarEntry> TarReader::make_entry(Block const& header, u64 size)
{
    TarEntry entry;
    entry.path = header.path();
    entry.link = header.text(header.link);
    auto mode = header.number(header.mode), uid = header.number(header.uid), gid = header.number(header.gid);
    auto mtime = header.signed_number(header.mtime);
    if (!mode || !uid || !gid || !mtime) return bad("a header with a field that is no number");
    entry.uid = u32(*uid), entry.gid = u32(*gid), entry.mtime = { *mtime, 0 };
    apply_extension(global_, entry);
    apply_extension(local_, entry);
    if (local_.size) size = *local_.size;
    entry.is_hard_link = header.type == '1';
    entry.mode = (u32(*mode) & 07777) | type_bits(header.type, entry.path.ends_with('/'));
    if (header.type == '3' || header.type == '4') {
        entry.device_major = u32(header.number(header.device_major).value_or(0));
        entry.device_minor = u32(header.number(header.device_minor).value_or(0));
    }
    // A hard link's size is that of the file it names: no data follows.
    u64 stored = has_data(header.type) || local_.size ? size : 0;
    if (entry.is_hard_link && !local_.size) stored = 0;
    if (stored > source_.size() || data_position_ > source_.size() - stored)
        return bad("the archive ends in the middle of " + entry.path);
    entry.position = data_position_;
    if (abi::is_regular(entry.mode)) entry.size = stored;
    if (header.type == 'S')
        TRY(read_old_sparse(header, entry));
    else if (local_.is_sparse)
        TRY(read_pax_sparse(local_, stored, entry));
    position_ = data_position_ + padded(stored);
    return entry;
}

/// GNU's own format: the map begins in the header and goes on in blocks before the data.
Result<void> TarReader::read_old_sparse(Block const& header, TarEntry& entry)
{
    std::vector<u64> numbers;
    auto take = [&](TarBlock::Sparse const* items, unsigned count) -> Result<void> {
        for (unsigned i = 0; i < count && items[i].length[0]; ++i) {
            auto offset = header.number(items[i].offset), length = header.number(items[i].length);
            if (!offset || !length) return bad("a sparse map that is no list of numbers");
            numbers.push_back(*offset);
            numbers.push_back(*length);
        }
        return {};
    };
    TRY(take(header.sparse(), TarBlock::kSparseInHeader));
    bool more = header.sparse_goes_on();
    u64 stored = entry.size;
    while (more) {
        if (numbers.size() > kMaxPieces) return bad("a sparse map that is too long");
        Block block = *TRY(block_at(data_position_));
        data_position_ += kTarBlock;
        TRY(take(block.sparse_block(), TarBlock::kSparseInBlock));
        more = block.sparse_block_goes_on();
    }
    auto real = header.number(header.sparse_real_size());
    if (!real) return bad("a sparse file with a size that is no number");
    entry.size = *real;
    if (data_position_ > source_.size() || source_.size() - data_position_ < stored)
        return bad("the archive ends in the middle of " + entry.path);
    return set_pieces(numbers, stored, entry);
}

/// PAX: the map is in the extended header (0.0 and 0.1), or before the data as lines of numbers (1.0).
Result<void> TarReader::read_pax_sparse(Extension const& x, u64 stored, TarEntry& entry)
{
    std::vector<u64> numbers = x.sparse_numbers;
    entry.position = data_position_;
    u64 data = stored;
    if (x.sparse_major == 1) {
        std::string text = TRY(text_at(data_position_, std::min(stored, kMaxText)));
        size_t at = 0;
        u64 wanted = 1;
        numbers.clear();
        for (u64 i = 0; i < wanted; ++i) {
            auto end = text.find('\n', at);
            auto n = end == text.npos ? std::nullopt : decimal(std::string_view(text).substr(at, end - at));
            if (!n || (i == 0 && *n > kMaxPieces)) return bad("a sparse map that is no list of numbers");
            if (i == 0)
                wanted = 1 + *n * 2;
            else
                numbers.push_back(*n);
            at = end + 1;
        }
        u64 map_size = padded(at);
        if (map_size > stored) return bad("a sparse map that is longer than its entry");
        entry.position += map_size;
        data -= map_size;
    }
    if (x.sparse_size) entry.size = *x.sparse_size;
    u64 keep = data_position_;
    data_position_ = entry.position;
    auto result = set_pieces(numbers, data, entry);
    data_position_ = keep;
    return result;
}

Result<void> TarReader::set_pieces(std::vector<u64> const& numbers, u64 stored, TarEntry& entry)
{
    if (entry.size > u64(INT64_MAX)) return bad("a sparse file that is too large");
    std::vector<TarPiece> pieces;
    u64 used = 0, end = 0;
    for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
        u64 offset = numbers[i], length = numbers[i + 1];
        bool fits = offset >= end && offset <= entry.size && length <= entry.size - offset
            && length <= stored - used;
        if (!fits) return bad("a sparse map that does not fit its file");
        if (length) pieces.push_back({ offset, length, data_position_ + used });
        used += length;
        end = offset + length;
    }
    entry.pieces = std::move(pieces);
    return {};
}

} // namespace umbra::fs
