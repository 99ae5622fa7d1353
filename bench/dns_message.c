/* SPDX-License-Identifier: MIT */
/* See dns_message.h. */
#include "bench/dns_message.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#include "bench/dns_wire.h"

bool dns_question_same(const struct dns_question *one, const struct dns_question *other)
{
	return one->type == other->type && one->size == other->size &&
	       !memcmp(one->name, other->name, one->size);
}

static void lower(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] + 32 : bytes[i]);
}

/* The one question of a message; false if it has another number, or another class than IN. */
static bool take_question(const ldns_pkt *packet, struct dns_question *question, uint8_t *asked)
{
	const ldns_rr_list *questions = ldns_pkt_question(packet);
	const ldns_rr *first;
	const ldns_rdf *owner;

	if (ldns_rr_list_rr_count(questions) != 1)
		return false;
	first = ldns_rr_list_rr(questions, 0);
	owner = ldns_rr_owner(first);
	if (!owner || ldns_rdf_size(owner) > DNS_NAME_MAX ||
	    ldns_rr_get_class(first) != LDNS_RR_CLASS_IN)
		return false;
	question->size = (uint8_t)ldns_rdf_size(owner);
	question->type = (uint16_t)ldns_rr_get_type(first);
	memcpy(asked, ldns_rdf_data(owner), question->size);
	memcpy(question->name, asked, question->size);
	lower(question->name, question->size);
	return true;
}

/* What the header alone says against a query. */
static int judge_header(const uint8_t *data, size_t size)
{
	size_t end;

	if (size < DNS_HEADER_SIZE || wire_get16(data + WIRE_FLAGS) & WIRE_QR)
		return -EBADMSG;
	if (wire_get16(data + WIRE_FLAGS) & WIRE_OPCODE)
		return DNS_NOTIMP;
	if (size > DNS_QUERY_MAX || wire_get16(data + WIRE_QUESTIONS) != 1 ||
	    wire_get16(data + WIRE_ANSWERS) || wire_get16(data + WIRE_AUTHORITIES) ||
	    wire_get16(data + WIRE_ADDITIONALS) > 1)
		return DNS_FORMERR;
	/* No name in a query has anything to point to, and to follow loops would take time: the
	 * question's is whole, and the other is OPT's, the root. */
	end = wire_question_end(data, size);
	if (!end || (wire_get16(data + WIRE_ADDITIONALS) && (end == size || data[end])))
		return DNS_FORMERR;
	return DNS_NOERROR;
}

/* Transfers and other types that are about a zone or a connection, not about a name. */
static bool may_ask(uint16_t type)
{
	return type == LDNS_RR_TYPE_ANY || (type && type < 128) || (type > 255 && type < 65280);
}

static int judge_packet(const ldns_pkt *packet, struct dns_query *query)
{
	uint16_t room = ldns_pkt_edns_udp_size(packet);

	query->id = ldns_pkt_id(packet);
	query->edns = ldns_pkt_edns(packet);
	query->room = DNS_UDP_PLAIN;
	if (query->edns && room > DNS_UDP_PLAIN)
		query->room = room < DNS_UDP_MOST ? room : DNS_UDP_MOST;
	if (query->edns && ldns_pkt_edns_version(packet))
		return DNS_BADVERS;
	/* Nobody's records are told to whoever asks only what others have asked. */
	if (!take_question(packet, &query->question, query->asked) || !ldns_pkt_rd(packet) ||
	    !may_ask(query->question.type))
		return DNS_REFUSED;
	return 0;
}

int dns_read_query(const uint8_t *data, size_t size, struct dns_query *query)
{
	int code = judge_header(data, size);
	ldns_pkt *packet = NULL;

	if (code)
		return code;
	if (ldns_wire2pkt(&packet, data, size) != LDNS_STATUS_OK)
		return DNS_FORMERR;
	code = judge_packet(packet, query);
	ldns_pkt_free(packet);
	return code;
}

static size_t write_opt(uint8_t *out, unsigned int extended)
{
	memset(out, 0, DNS_OPT_SIZE);
	wire_put16(out + 1, LDNS_RR_TYPE_OPT);
	wire_put16(out + 3, DNS_UDP_MOST);
	out[5] = (uint8_t)extended;
	return DNS_OPT_SIZE;
}

size_t dns_write_refusal(const uint8_t *data, size_t size, int code, uint8_t *out)
{
	uint16_t kept = wire_get16(data + WIRE_FLAGS) & (WIRE_OPCODE | WIRE_RD);
	size_t end = 0;

	memset(out, 0, DNS_HEADER_SIZE);
	memcpy(out, data, 2);
	wire_put16(out + WIRE_FLAGS, (uint16_t)(WIRE_QR | WIRE_RA | kept | (code & 15)));
	if (wire_get16(data + WIRE_QUESTIONS) == 1 && code != DNS_FORMERR)
		end = wire_question_end(data, size);
	if (end) {
		memcpy(out + DNS_HEADER_SIZE, data + DNS_HEADER_SIZE, end - DNS_HEADER_SIZE);
		wire_put16(out + WIRE_QUESTIONS, 1);
	} else {
		end = DNS_HEADER_SIZE;
	}
	if (code != DNS_BADVERS)
		return end;
	wire_put16(out + WIRE_ADDITIONALS, 1);
	return end + write_opt(out + end, DNS_BADVERS >> 4);
}

size_t dns_write_query(const struct dns_question *question, uint16_t id, uint8_t *out)
{
	uint8_t *at = out + DNS_HEADER_SIZE;

	memset(out, 0, DNS_HEADER_SIZE);
	wire_put16(out, id);
	wire_put16(out + WIRE_FLAGS, WIRE_RD);
	wire_put16(out + WIRE_QUESTIONS, 1);
	wire_put16(out + WIRE_ADDITIONALS, 1);
	memcpy(at, question->name, question->size);
	at += question->size;
	wire_put16(at, question->type);
	wire_put16(at + 2, LDNS_RR_CLASS_IN);
	return (size_t)(at + 4 - out) + write_opt(at + 4, 0);
}

/* A TTL with the highest bit set is none (RFC 2181, section 8). */
static uint32_t ttl_of(const ldns_rr *record)
{
	uint32_t ttl = ldns_rr_ttl(record);

	return ttl >> 31 ? 0 : ttl;
}

static void note_ttl(struct dns_answer *answer, uint32_t ttl)
{
	if (ttl < answer->ttl)
		answer->ttl = ttl;
}

static bool push(ldns_pkt *packet, ldns_pkt_section section, const ldns_rr *record)
{
	ldns_rr *copy = ldns_rr_clone(record);

	if (copy && ldns_pkt_push_rr(packet, section, copy))
		return true;
	ldns_rr_free(copy);
	return false;
}

/* The zone's SOA record, whose TTL becomes that of what there is not. */
static bool push_soa(ldns_pkt *kept, const ldns_rr_list *authority, struct dns_answer *answer)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
		ldns_rr *record = ldns_rr_list_rr(authority, i);
		uint32_t minimum;

		if (ldns_rr_get_type(record) != LDNS_RR_TYPE_SOA || ldns_rr_rd_count(record) != 7)
			continue;
		minimum = ldns_rdf2native_int32(ldns_rr_rdf(record, 6));
		if (minimum < ttl_of(record))
			ldns_rr_set_ttl(record, minimum);
		note_ttl(answer, ttl_of(record));
		return push(kept, LDNS_SECTION_AUTHORITY, record);
	}
	answer->ttl = 0;
	return true;
}

/* What is kept of an answer, in *kept. */
static bool gather(const struct dns_question *question, const ldns_pkt *packet, ldns_pkt *kept,
		   struct dns_answer *answer)
{
	const ldns_rr_list *records = ldns_pkt_answer(packet);
	bool positive = false;

	answer->ttl = UINT32_MAX;
	if (!push(kept, LDNS_SECTION_QUESTION, ldns_rr_list_rr(ldns_pkt_question(packet), 0)))
		return false;
	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		const ldns_rr *record = ldns_rr_list_rr(records, i);

		positive |= ldns_rr_get_type(record) == question->type ||
			    question->type == LDNS_RR_TYPE_ANY;
		note_ttl(answer, ttl_of(record));
		if (!push(kept, LDNS_SECTION_ANSWER, record))
			return false;
	}
	if (positive && answer->code == DNS_NOERROR)
		return true;
	return push_soa(kept, ldns_pkt_authority(packet), answer);
}

static int write_answer(const struct dns_question *question, const ldns_pkt *packet,
			struct dns_answer *answer)
{
	ldns_pkt *kept = ldns_pkt_new();
	uint8_t *wire = NULL;
	size_t size = 0;
	int error = -EPROTO;

	if (!kept)
		return -EPROTO;
	ldns_pkt_set_qr(kept, true);
	ldns_pkt_set_rd(kept, true);
	ldns_pkt_set_ra(kept, true);
	ldns_pkt_set_rcode(kept, (uint8_t)answer->code);
	if (gather(question, packet, kept, answer) &&
	    ldns_pkt2wire(&wire, kept, &size) == LDNS_STATUS_OK &&
	    size <= DNS_MESSAGE_MAX - DNS_OPT_SIZE) {
		memcpy(answer->message, wire, size);
		answer->size = size;
		error = 0;
	}
	LDNS_FREE(wire);
	ldns_pkt_free(kept);
	return error;
}

static int judge_answer(const struct dns_question *question, const ldns_pkt *packet,
			struct dns_answer *answer)
{
	struct dns_question other;
	uint8_t asked[DNS_NAME_MAX];

	if (!take_question(packet, &other, asked) || !dns_question_same(question, &other))
		return -EBADMSG;
	answer->code = ldns_pkt_get_rcode(packet);
	if (answer->code != DNS_NOERROR && answer->code != DNS_NXDOMAIN)
		return -EPROTO;
	return ldns_pkt_tc(packet) ? -EMSGSIZE : write_answer(question, packet, answer);
}

/*
 * The question alone of a message that is cut, as truncated ones may be, and refusals that leave it
 * out. -EBADMSG if it is not this one.
 */
static int judge_header_of_answer(const struct dns_question *question, const uint8_t *data,
				  size_t size)
{
	uint16_t flags = wire_get16(data + WIRE_FLAGS);
	uint8_t name[DNS_NAME_MAX + 4];
	size_t end = wire_question_end(data, size);

	if (!wire_get16(data + WIRE_QUESTIONS) && (flags & 15) != DNS_NOERROR)
		return -EPROTO;
	if (!(flags & WIRE_TC) || wire_get16(data + WIRE_QUESTIONS) != 1 ||
	    end != (size_t)DNS_HEADER_SIZE + question->size + 4)
		return 0;
	memcpy(name, data + DNS_HEADER_SIZE, question->size);
	lower(name, question->size);
	return memcmp(name, question->name, question->size) ? -EBADMSG : -EMSGSIZE;
}

int dns_read_answer(const struct dns_question *question, uint16_t id, const uint8_t *data,
		    size_t size, struct dns_answer *answer)
{
	ldns_pkt *packet = NULL;
	int error;

	if (size < DNS_HEADER_SIZE || wire_get16(data) != id ||
	    (wire_get16(data + WIRE_FLAGS) & (WIRE_QR | WIRE_OPCODE)) != WIRE_QR)
		return -EBADMSG;
	error = judge_header_of_answer(question, data, size);
	if (error)
		return error;
	if (ldns_wire2pkt(&packet, data, size) != LDNS_STATUS_OK)
		return -EBADMSG;
	error = judge_answer(question, packet, answer);
	ldns_pkt_free(packet);
	return error;
}

static void be_younger(void *seconds, uint8_t *ttl)
{
	uint32_t age = *(uint32_t *)seconds;
	uint32_t value = wire_get32(ttl);

	if (value >> 31)
		value = 0;
	wire_put32(ttl, value > age ? value - age : 0);
}

size_t dns_write_reply(const struct dns_query *query, const uint8_t *message, size_t size,
		       uint32_t seconds, size_t room, uint8_t *out)
{
	size_t question_end = (size_t)DNS_HEADER_SIZE + query->question.size + 4;
	size_t opt = query->edns ? DNS_OPT_SIZE : 0;
	bool cut = size + opt > room;

	if (cut)
		size = question_end;
	memcpy(out, message, size);
	wire_put16(out, query->id);
	memcpy(out + DNS_HEADER_SIZE, query->asked, query->question.size);
	if (cut) {
		wire_put16(out + WIRE_FLAGS, (uint16_t)(wire_get16(out + WIRE_FLAGS) | WIRE_TC));
		wire_put16(out + WIRE_ANSWERS, 0);
		wire_put16(out + WIRE_AUTHORITIES, 0);
	} else {
		wire_each_ttl(out, size, be_younger, &seconds);
	}
	if (!opt)
		return size;
	wire_put16(out + WIRE_ADDITIONALS, 1);
	return size + write_opt(out + size, 0);
}

size_t dns_write_failure(const struct dns_query *query, uint8_t *out)
{
	uint8_t message[DNS_HEADER_SIZE + DNS_NAME_MAX + 4] = {0};
	uint8_t *end = message + DNS_HEADER_SIZE + query->question.size;

	wire_put16(message + WIRE_FLAGS, WIRE_QR | WIRE_RD | WIRE_RA | DNS_SERVFAIL);
	wire_put16(message + WIRE_QUESTIONS, 1);
	wire_put16(end, query->question.type);
	wire_put16(end + 2, LDNS_RR_CLASS_IN);
	return dns_write_reply(query, message, (size_t)(end + 4 - message), 0, DNS_MESSAGE_MAX,
			       out);
}

int dns_read_address(const uint8_t *data, size_t size, uint32_t *address, uint32_t *ttl)
{
	ldns_pkt *packet = NULL;
	int error = -EBADMSG;

	if (ldns_wire2pkt(&packet, data, size) != LDNS_STATUS_OK)
		return -EBADMSG;
	for (size_t i = 0; error && i < ldns_rr_list_rr_count(ldns_pkt_answer(packet)); i++) {
		const ldns_rr *record = ldns_rr_list_rr(ldns_pkt_answer(packet), i);

		if (ldns_rr_get_type(record) != LDNS_RR_TYPE_A || ldns_rr_rd_count(record) != 1)
			continue;
		*address = wire_get32(ldns_rdf_data(ldns_rr_rdf(record, 0)));
		*ttl = ldns_rr_ttl(record);
		error = 0;
	}
	ldns_pkt_free(packet);
	return error;
}
