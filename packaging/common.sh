# For packaging/deb/build and packaging/dist, which source it at the top of the tree.
# Of the environment: VERSION, else git's newest tag and how many commits came after
# it, else 0.0 and the commit's time, so that a later commit is a later version;
# SOURCE_DATE_EPOCH, else the commit's time, which dates what is packed, so that the
# same tree gives the same bytes, in whatever folder; BINARY, an rtmpd for this machine
# to pack in place of one built now; OUT, the directory, else dist.
umask 022
export LC_ALL=C TZ=UTC
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
version=${VERSION:-$(git describe --tags --match 'v[0-9]*' 2>/dev/null || true)}
if [ -z "$version" ]; then
	version=0.0~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).$(git rev-list --count HEAD 2>/dev/null || echo 0).$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0)
fi
# v1.2.0-rc1 comes before v1.2.0, and v1.2.0-5-gabcdef0, five commits on, after it.
version=$(printf '%s' "$version" | sed -E 's/^v//; s/-([0-9]+)-(g[0-9a-f]+)$/+\1.\2/; s/-/~/g')
out=${OUT:-dist}
mkdir -p "$out"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# compile OS ARCH FILE
compile() {
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build -trimpath -ldflags '-s -w' -o "$3" ./cmd/rtmpd
}

# extras makes what rtmpd writes of itself, with one for this machine: $tmp/man,
# $tmp/completion.
extras() {
	here_rtmpd=${BINARY:-$tmp/rtmpd}
	[ -n "${BINARY:-}" ] || compile "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)" "$here_rtmpd"
	mkdir "$tmp/completion" "$tmp/man"
	for shell in bash zsh fish; do
		"$here_rtmpd" completion $shell >"$tmp/completion/$shell"
	done
	"$here_rtmpd" man "$tmp/man"
}

# dated DIR gives everything in it the time of the source.
dated() {
	find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
