package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// readProxies reads trusted_proxies: ranges of addresses, and single ones.
func readProxies(s *section) []netip.Prefix {
	var out []netip.Prefix
	s.entries("trusted_proxies", "- 10.0.0.0/8", func(node ast.Node) {
		text, isText := scalar(node)
		p, ok := parseRange(text)
		switch {
		case !isText:
			s.doc.problemf(lineOf(node), "each of trusted_proxies must be text: %s", howToQuote(node))
		case !ok:
			s.doc.problemf(lineOf(node), "trusted_proxies: %q is neither an address nor a range of them, such as 10.0.0.0/8 or 2001:db8::/32", text)
		case p.Bits() == 0:
			s.doc.problemf(lineOf(node), "trusted_proxies: %q is everybody: whoever sends a request could choose its address; write the proxies' own", text)
		case !slices.Contains(out, p):
			out = append(out, p)
		}
	})
	return out
}

// parseRange reads a range or a single address. An IPv4 one that is written as IPv6 is what it stands for, as no peer is
// ever seen under such an address.
func parseRange(text string) (netip.Prefix, bool) {
	text = strings.TrimSpace(text)
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

func textsOf(ranges []netip.Prefix) []string {
	out := make([]string, 0, len(ranges))
	for _, p := range ranges {
		out = append(out, p.String())
	}
	return out
}
