#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the tree that tests/images/files and execute look at, and its archive:
#
#     tree.sh TREE ARCHIVE PROGRAM...
#
# PROGRAMs become bin/ of the tree. Needs cpio.
set -eu

tree=$1
archive=$2
shift 2
rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/data/inner" "$tree/links"
for program in "$@"; do
	cp "$program" "$tree/bin/"
done
printf 'one\n' >"$tree/data/one"
: >"$tree/data/empty"
: >"$tree/bin/empty"
i=0
while [ $i -lt 10000 ]; do
	printf 0123456789
	i=$((i + 1))
done >"$tree/data/big"
ln "$tree/data/big" "$tree/hard"
ln -s ../data/one "$tree/links/one"
ln -s one "$tree/links/chain"
ln -s ../data "$tree/links/data"
ln -s missing "$tree/links/nowhere"
ln -s loop2 "$tree/links/loop"
ln -s loop "$tree/links/loop2"
printf 'only text\n' >"$tree/bin/text"
printf '#!bin/execute --show\n' >"$tree/bin/script"
printf '#!bin/none\n' >"$tree/bin/lost"
cp "$tree/bin/execute" "$tree/bin/plain"
chmod 755 "$tree" "$tree"/bin "$tree"/bin/* "$tree/data" "$tree/data/inner" "$tree/links"
chmod 644 "$tree/data/one" "$tree/data/empty" "$tree/bin/plain"
chmod 640 "$tree/data/big"
find "$tree" -exec touch -h -d @1000000000 {} +
(cd "$tree" && find . | cpio --quiet -o -H newc) >"$archive"
