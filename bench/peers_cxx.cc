/* SPDX-License-Identifier: MIT */
/* Maps of C++, which all have one interface; each with its own default hash and load. */
#include <cstdint>
#include <new>
#include <unordered_map>

#ifdef PEER_ABSL
#include <absl/container/flat_hash_map.h>
#endif
#ifdef PEER_ROBIN_MAP
#include <tsl/robin_map.h>
#endif

#include "bench/peer.h"

namespace
{

template <class Map> struct peer_of {
	static void *create(uint64_t keys)
	try {
		Map *map = new Map;

		map->reserve(keys);
		return map;
	} catch (const std::bad_alloc &) {
		return nullptr;
	}

	static bool insert(void *table, uint64_t key, uint64_t value)
	try {
		return static_cast<Map *>(table)->emplace(key, value).second;
	} catch (const std::bad_alloc &) {
		return false;
	}

	static void destroy(void *table)
	{
		delete static_cast<Map *>(table);
	}

	LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
	{
		const Map *map = static_cast<const Map *>(table);
		auto found = map->find(vpn);

		if (found != map->end())
			*entry = found->second;
	}

	static uint64_t latency(void *table, const struct query *queries, size_t count)
	{
		return loop_latency(find, table, queries, count);
	}

	static uint64_t throughput(void *table, const struct query *queries, size_t count)
	{
		return loop_throughput(find, table, queries, count);
	}

	static constexpr struct peer make(const char *name, const char *package)
	{
		return {name, package, create, insert, destroy, {latency, throughput, nullptr}};
	}
};

} // namespace

extern "C" {

const struct peer peer_unordered_map =
	peer_of<std::unordered_map<uint64_t, uint64_t>>::make("unordered_map", "g++");

#ifdef PEER_ABSL
const struct peer peer_absl =
	peer_of<absl::flat_hash_map<uint64_t, uint64_t>>::make("flat_hash_map", "libabsl-dev");
#else
const struct peer peer_absl = {"flat_hash_map", "libabsl-dev", nullptr, nullptr, nullptr, {}};
#endif

#ifdef PEER_ROBIN_MAP
const struct peer peer_robin_map =
	peer_of<tsl::robin_map<uint64_t, uint64_t>>::make("robin_map", "robin-map-dev");
#else
const struct peer peer_robin_map = {"robin_map", "robin-map-dev", nullptr, nullptr, nullptr, {}};
#endif
}
