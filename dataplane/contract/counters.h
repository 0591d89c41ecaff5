// SPDX-License-Identifier: BSD-3-Clause
// Counters, one row each: field, Prometheus type, help. The struct, `flyover status --json` and the
// metrics text all follow from the row. Each struct has one writer, the core that owns the object;
// readers take relaxed loads and may see fields of different moments.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

// Written by the core that reads the source.
#define SOURCE_COUNTERS(X)                                                                         \
	X(received_bytes, counter, "Bytes received from the source, snapshot and stream")          \
	X(snapshot_bytes, counter, "Bytes of the current snapshot taken apart")                    \
	X(snapshot_total_bytes, gauge,                                                             \
	  "Size of the current snapshot, 0 when the source does not say")                          \
	X(snapshot_keys, counter, "Keys of the current snapshot sent towards the lanes")           \
	X(snapshot_total_keys, gauge, "Keys that the snapshot announced (RESIZEDB)")               \
	X(snapshot_expired, counter, "Keys of the snapshot that had expired and were not created") \
	X(snapshot_unfit, counter,                                                                 \
	  "Keys of the snapshot that the target's version cannot hold: parked, not sent")          \
	X(degraded, counter,                                                                       \
	  "Keys and commands sent without what the target's version cannot hold")                  \
	X(snapshots, counter, "Snapshots begun: full syncs")                                       \
	X(resumes, counter, "Times that the stream went on by +CONTINUE")                          \
	X(source_disconnects, counter, "Connections to the source that were lost")                 \
	X(received_offset, gauge, "Offset of the stream received")                                 \
	X(routed_offset, gauge, "Offset of the stream taken apart and given to lanes")             \
	X(frontier_offset, gauge, "Offset up to which everything has been applied")                \
	X(source_offset, gauge, "Offset of the source itself, asked once a second")                \
	X(received_commands, counter,                                                              \
	  "Commands taken from the stream; read again for a target that came back older, they "    \
	  "count again")                                                                           \
	X(filtered_commands, counter,                                                              \
	  "Commands not forwarded: PING, REPLCONF, SELECT, held by the target already, or on "     \
	  "their way when a full sync or a second reading took over")                              \
	X(handed_off, counter,                                                                     \
	  "Commands filtered because the slot had moved: another shard's stream says the same")    \
	X(slots_taken, counter, "Slots that this source's shards took from one another")           \
	X(slots_moving, gauge, "Slots on the way from one shard to another, as far as it is seen") \
	X(rewritten_commands, counter, "Commands sent in a form that is safe to send again")       \
	X(unknown_commands, counter, "Commands that the table does not know, sent as they came")   \
	X(barriers, counter, "Commands or transactions that touched several lanes")                \
	X(gathered_commands, counter,                                                              \
	  "Commands whose keys were brought together from several slots of a cluster")             \
	X(split_transactions, counter,                                                             \
	  "Transactions over several slots of a cluster, sent as one for each slot")               \
	X(window_bytes, gauge, "Bytes of the log held in memory")                                  \
	X(window_full, counter, "Times that window and disk were full and the source held back")   \
	X(log_behind_bytes, gauge, "Bytes of the log that are on disk and not back in memory yet") \
	X(log_disk_bytes, gauge, "Bytes of the log's files on disk")                               \
	X(log_written_bytes, counter, "Bytes written to the log's files")                          \
	X(log_read_bytes, counter, "Bytes read back from the log's files")                         \
	X(log_syncs, counter, "Syncs of the log's files")                                          \
	X(snapshot_disk_bytes, gauge, "Bytes of the snapshot's files on disk")                     \
	X(snapshot_written_bytes, counter, "Bytes written to the snapshot's files")                \
	X(extra_keys_deleted, counter, "Keys removed from the target by a reconciling full sync")  \
	X(oldest_unapplied_ms, gauge,                                                              \
	  "Wall clock (ms) at which the oldest unapplied byte came, 0 if none")

// Written by the core of the lane.
#define LANE_COUNTERS(X)                                                                           \
	X(snapshot_applied, counter, "Commands of the snapshot that the target has answered")      \
	X(snapshot_parked, counter, "Commands of the snapshot that the target refused for good")   \
	X(applied_commands, counter, "Commands of the stream that the target has answered")        \
	X(parked_commands, counter, "Commands of the stream that the target refused for good")     \
	X(batches, counter, "Batches answered")                                                    \
	X(sent_bytes, counter, "Bytes written to the target")                                      \
	X(resent_batches, counter, "Batches sent again after a lost connection or a refusal")      \
	X(skipped_batches, counter,                                                                \
	  "Batches that the marker showed to be applied already; refusals in them are not known")  \
	X(target_disconnects, counter, "Connections to the target that were lost")                 \
	X(retries, counter, "Refusals waited out: LOADING, BUSY, READONLY, OOM")                   \
	X(dependency_waits, counter, "Times that a batch waited for another lane")                 \
	X(redirects, counter, "Commands that a cluster's node sent on for good: MOVED")            \
	X(asks, counter, "Commands of a slot on its way between two nodes: ASK, TRYAGAIN")

// What goes over the device of our own TCP, and what is dropped there. Written by the core of the
// queue.
#define NETWORK_COUNTERS(X)                                                                        \
	X(frames_in, counter, "Frames received")                                                   \
	X(frames_out, counter, "Frames sent")                                                      \
	X(not_ours, counter, "Frames dropped: for somebody else")                                  \
	X(own_mac, counter, "Frames dropped: with our own address as their sender")                \
	X(bad_vlan, counter, "Frames dropped: of another VLAN")                                    \
	X(bad_ether, counter, "Frames dropped: too short for Ethernet")                            \
	X(other_protocol, counter,                                                                 \
	  "Frames dropped: neither IP nor ARP, nor TCP nor ICMP within")                           \
	X(bad_ip, counter, "Packets dropped: the IP header is wrong")                              \
	X(bad_ip_sum, counter,                                                                     \
	  "Packets dropped: the checksum of the IPv4 header is wrong")                             \
	X(fragments, counter, "Packets dropped: fragments")                                        \
	X(bad_tcp, counter, "Segments dropped: the TCP header is wrong")                           \
	X(bad_tcp_sum, counter, "Segments dropped: the checksum is wrong")                         \
	X(no_connection, counter, "Segments of no connection of ours, refused with RST")           \
	X(syn_dropped, counter, "Openings dropped: too many at once")                              \
	X(not_allowed, counter, "Openings dropped: from an address that is not allowed")           \
	X(forwarded_in, counter, "Frames that another core handed to this one")                    \
	X(forwarded_out, counter, "Frames that this core handed to another one")                   \
	X(forward_full, counter, "Frames dropped: the ring to the other core was full")            \
	X(arp_in, counter, "ARP packets received")                                                 \
	X(arp_out, counter, "ARP packets sent")                                                    \
	X(bad_arp, counter, "ARP packets dropped: wrong")                                          \
	X(nd_in, counter, "Neighbour discovery packets received")                                  \
	X(nd_out, counter, "Neighbour discovery packets sent")                                     \
	X(bad_nd, counter, "Neighbour discovery packets dropped: wrong")                           \
	X(icmp_in, counter, "ICMP packets received")                                               \
	X(icmp_out, counter, "ICMP packets sent")                                                  \
	X(bad_icmp, counter, "ICMP packets dropped: wrong")                                        \
	X(icmp_limited, counter, "Echoes not answered: too many")                                  \
	X(address_conflicts, counter, "Times that somebody else used an address of ours")          \
	X(no_neighbour, counter, "Packets dropped: the next hop does not answer")                  \
	X(pending_dropped, counter, "Packets dropped: too many waited for the next hop")           \
	X(pmtu_reduced, counter, "Times that a path turned out to take smaller packets")           \
	X(rst_out, counter, "RST sent")                                                            \
	X(rst_limited, counter, "RST not sent: too many")                                          \
	X(tx_full, counter, "Frames that waited because the device was full")                      \
	X(tx_too_long, counter, "Packets dropped: too long for the device")                        \
	X(bytes_in, counter, "Bytes of the frames received")                                       \
	X(bytes_out, counter, "Bytes of the frames sent")                                          \
	X(device_full, counter,                                                                    \
	  "Frames that the device refused because its queue was full")                             \
	X(device_missed, counter,                                                                  \
	  "Frames that the device dropped because nobody took them")                               \
	X(device_no_memory, counter, "Frames that the device dropped for want of memory")

#define X(name, type, help) _Atomic uint64_t name;
struct network_counters {
	NETWORK_COUNTERS(X)
} __attribute__((aligned(64)));
#undef X

#define X(name, type, help) _Atomic uint64_t name;
struct source_counters {
	SOURCE_COUNTERS(X)
} __attribute__((aligned(64)));
#undef X

// Latency: microseconds from a command's bytes read off the source's socket to the target's answer.
// Log-linear: 8 buckets for each power of two, the first 16 buckets are exact.
#define LATENCY_BUCKETS 288

#define X(name, type, help) _Atomic uint64_t name;
struct lane_counters {
	LANE_COUNTERS(X)
	_Atomic uint64_t latency_us[LATENCY_BUCKETS];
} __attribute__((aligned(64)));
#undef X

// One writer, so a relaxed load and store are enough; no locked instruction.
static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void counter_set(_Atomic uint64_t *c, uint64_t v)
{
	atomic_store_explicit(c, v, memory_order_relaxed);
}

static inline uint64_t counter_get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit((_Atomic uint64_t *)c, memory_order_relaxed);
}

// @return index into latency_us, 0 .. LATENCY_BUCKETS - 1
static inline unsigned latency_bucket(uint64_t us)
{
	if (us < 16)
		return (unsigned)us;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(us); // >= 4
	unsigned bucket = 16 + (exponent - 4) * 8 + (unsigned)((us >> (exponent - 3)) & 7);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

// The smallest value of a bucket, us; the inverse of latency_bucket().
static inline uint64_t latency_floor_us(unsigned bucket)
{
	if (bucket < 16)
		return bucket;
	unsigned exponent = (bucket - 16) / 8 + 4;
	return (8ull + (bucket - 16) % 8) << (exponent - 3);
}
