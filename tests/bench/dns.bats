#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# build/resolver before a real origin (nsd), asked by real clients (dig, dnsperf); and the part of
# `twostage experiment consistency` that needs them.

bats_require_minimum_version 1.5.0

# write_zone VERSION: names of a TTL of 2 s, whose address has the version
write_zone() {
	local directory=$BATS_FILE_TMPDIR
	{
		# shellcheck disable=SC2016 # $ORIGIN and $TTL are the zone file's
		printf '$ORIGIN example.\n$TTL 2\n'
		echo "@ SOA ns hostmaster $1 3600 600 86400 3"
		echo '@ NS ns'
		echo 'ns A 127.0.0.1'
		echo "www A 192.0.2.$1"
		echo 'www AAAA 2001:db8::1'
		echo 'alias CNAME www'
		echo 'mail MX 10 www'
		echo 'text TXT "one" "two"'
		echo '*.wild A 192.0.2.200'
		for i in $(seq 200); do echo "big A 198.51.100.$i"; done
		for i in $(seq 500); do echo "h$i 600 A 203.0.113.$((i % 250))"; done
	} >"$directory/zone.new"
	mv "$directory/zone.new" "$directory/zone"
}

# start_origin PORT: nsd, as its own user; fails where the port is taken
start_origin() {
	local directory=$BATS_FILE_TMPDIR
	cat >"$directory/nsd.conf" <<-END
		server:
			server-count: 1
			ip-address: 127.0.0.1@$1
			username: ""
			chroot: ""
			zonesdir: "$directory"
			pidfile: ""
			database: ""
			zonelistfile: "$directory/zone.list"
			xfrdfile: ""
			xfrdir: "$directory"
			logfile: "$directory/log"
		remote-control:
			control-enable: no
		zone:
			name: "example"
			zonefile: "zone"
	END
	PATH=$PATH:/usr/sbin nsd -d -c "$directory/nsd.conf" 3>&- &
	origin_pid=$!
	for _ in $(seq 50); do
		kill -0 $origin_pid 2>/dev/null || return 1
		ask "$1" www.example A | grep -q . && return 0
		sleep 0.1
	done
	return 1
}

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	write_zone 1
	for _ in 1 2 3 4 5; do
		origin_port=$((20000 + RANDOM % 10000))
		start_origin $origin_port && break
		origin_port=
	done
	[ -n "$origin_port" ]
	build/resolver --origin "$origin_port" >"$BATS_FILE_TMPDIR/resolver" 3>&- &
	resolver_pid=$!
	for _ in $(seq 50); do
		resolver_port=$(sed -n 's/127.0.0.1 port //p' "$BATS_FILE_TMPDIR/resolver")
		[ -z "$resolver_port" ] || break
		sleep 0.1
	done
	export origin_port resolver_port origin_pid resolver_pid
}

teardown_file() {
	[ -z "$resolver_pid" ] || kill "$resolver_pid"
	[ -z "$origin_pid" ] || kill "$origin_pid"
	wait
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
}

# ask PORT ARG...: the records of a reply, without their TTLs
ask() {
	local port=$1
	shift
	dig +tries=1 +time=5 +noall +answer +authority @127.0.0.1 -p "$port" "$@" |
		awk '{ $2 = ""; print tolower($0) }' | sort
}

status_of() {
	dig +tries=1 +time=5 @127.0.0.1 -p "$resolver_port" "$@" | sed -n 's/.*status: \([A-Z]*\).*/\1/p'
}

# ttl_of NAME: of its address
ttl_of() {
	dig +tries=1 +time=5 +noall +answer @127.0.0.1 -p "$resolver_port" "$1" A | awk '{ print $2 }'
}

milliseconds() {
	date +%s%3N
}

@test "records are those of the origin, once and again" {
	local round query
	for round in 1 2; do
		for query in 'www.example A' 'WWW.Example AAAA' 'alias.example A' 'mail.example MX' \
			'text.example TXT' 'a.b.wild.example A' 'example SOA' 'example NS' 'big.example A'; do
			# shellcheck disable=SC2086 # a name and a type
			diff <(ask "$origin_port" +noauthority $query) <(ask "$resolver_port" $query)
			[ -n "$(ask "$resolver_port" +noauthority ${query% *} ${query#* })" ]
		done
		for query in 'nothing.example A' 'www.example MX'; do
			# shellcheck disable=SC2086
			diff <(ask "$origin_port" $query) <(ask "$resolver_port" $query)
		done
		[ "$(status_of nothing.example)" = NXDOMAIN ]
		[ "$(status_of www.example MX)" = NOERROR ]
		[ "$(status_of elsewhere.test)" = SERVFAIL ]
	done
}

@test "TTLs count down, and what is over is fetched again" {
	local ttls=
	for _ in $(seq 35); do
		ttls+="$(ttl_of www.example) "
		sleep 0.1
	done
	echo "$ttls"
	# Up to the origin's, down by one, and up again; no answer has none.
	[[ $ttls == *'2 1 '* ]]
	[[ $ttls == *'1 2 '* ]]
	[[ $ttls != *0* ]]
}

@test "what does not fit goes by TCP, from the origin and to the client" {
	[ "$(dig +ignore +tries=1 @127.0.0.1 -p "$resolver_port" big.example A |
		grep -c 'flags:.* tc ')" -eq 1 ]
	[ "$(ask "$resolver_port" +tcp big.example A | wc -l)" -eq 200 ]
	[ "$(ask "$resolver_port" +tcp +keepopen text.example TXT www.example A | wc -l)" -eq 2 ]
}

@test "what it does not serve is refused by its code" {
	[ "$(status_of +opcode=NOTIFY www.example)" = NOTIMP ]
	[ "$(status_of +norecurse www.example)" = REFUSED ]
	[ "$(status_of www.example CH TXT)" = REFUSED ]
	[ "$(status_of +edns=1 +noednsnegotiation www.example)" = BADVERS ]
	[[ "$(dig +tries=1 @127.0.0.1 -p "$resolver_port" example AXFR)" == *"Transfer failed"* ]]
}

@test "after a change old answers come for a TTL at most, and some do" {
	local changed asked old=0 late=0 new=0 i=0
	ask "$resolver_port" www.example A
	write_zone 2
	kill -HUP "$origin_pid"
	# Until the origin has given the new one so often that nothing is left of the old one.
	while [ $i -lt 5 ]; do
		if [[ $(ask "$origin_port" www.example A) == *192.0.2.2* ]]; then
			i=$((i + 1))
		else
			i=0
		fi
		ask "$resolver_port" www.example A >/dev/null
	done
	changed=$(milliseconds)
	while [ $(($(milliseconds) - changed)) -lt 4000 ]; do
		asked=$(milliseconds)
		case $(ask "$resolver_port" www.example A) in
		*192.0.2.2) new=$((new + 1)) ;;
		*192.0.2.1)
			old=$((old + 1))
			[ $((asked - changed)) -le 2000 ] || late=$((late + 1))
			;;
		*) false ;;
		esac
	done
	echo "old $old, late $late, new $new"
	[ $old -gt 0 ]
	[ $new -gt 0 ]
	[ $late -eq 0 ]
}

@test "dnsperf loses no query" {
	local data=$BATS_TEST_TMPDIR/queries
	for i in $(seq 500); do echo "h$i.example A"; done >"$data"
	for i in $(seq 20); do echo "no$i.example A"; done >>"$data"
	echo 'alias.example A' >>"$data"
	run timeout 60 dnsperf -s 127.0.0.1 -p "$resolver_port" -d "$data" -l 4 -t 10
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"Queries lost:         0 (0.00%)"* ]]
	[[ $output == *"Response codes:       NOERROR "*", NXDOMAIN "* ]]
	[[ $output != *SERVFAIL* ]]
	[ "$(sed -n 's/.*Queries completed: *\([0-9]*\).*/\1/p' <<<"$output")" -gt 10000 ]
}

@test "the resolver says what it has counted when it ends" {
	run --separate-stderr timeout --preserve-status 1 build/resolver --origin "$origin_port"
	[ "$status" -eq 0 ]
	[[ $output == *"queries: 0"* ]]
	[[ $output == *"expired: 0"* ]]
}

@test "options of the resolver that cannot be are refused" {
	local case text
	while IFS='|' read -r case text; do
		# shellcheck disable=SC2086 # words
		run timeout 10 build/resolver $case
		echo "$case: $output"
		[ "$status" -eq 64 ]
		[[ $output == *"$text"* ]]
	done <<-'END'
		|--origin: it is missing, wanted PORT or 127.X.X.X:PORT
		--origin 8.8.8.8:53|origin: found 8.8.8.8, wanted an address of 127.0.0.0/8
		--origin host:53|--origin: found "host:53", wanted PORT or 127.X.X.X:PORT
		--origin 0|--origin: found "0"
		--origin 53 --port 65536|--port: found "65536"
		--origin 53 --records 0|--records: found "0"
		--origin 53 --table heap|--table: found "heap"
		--origin 53 more|found "more", wanted options only
	END
	run timeout 10 build/resolver --origin 53 --port "$resolver_port"
	[ "$status" -eq 69 ]
	[[ $output == *"port $resolver_port: cannot be served: Address already in use"* ]]
}

@test "where nsd cannot be started the experiment says so, and does not hold" {
	TMPDIR=/nowhere run --separate-stderr timeout 100 build/twostage experiment consistency --json -
	[ "$status" -eq 0 ]
	[ "$(jq -c '.experiments[0] | [.holds, [.claims[] | select(has("missing")) | .missing]]' \
		<<<"$output")" = '[false,["nsd did not start on loopback"]]' ]
}
