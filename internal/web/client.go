package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// LocalClient stands for a client that came over the unix socket.
const LocalClient = "local"

// ClientAddr returns the address of the client, without its port: the one that a trusted proxy named (see Proxies), else
// that of the connection's other end.
func ClientAddr(r *http.Request) string {
	if named, ok := r.Context().Value(clientKey).(string); ok {
		return named
	}
	return peerAddr(r)
}

func peerAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err == nil {
		return host
	}
	if r.RemoteAddr == "" || strings.HasPrefix(r.RemoteAddr, "@") || strings.HasPrefix(r.RemoteAddr, "/") {
		return LocalClient
	}
	return r.RemoteAddr
}

// Proxies are the addresses of reverse proxies whose word counts on where a request comes from. From anybody else
// X-Forwarded-For and Forwarded are not looked at: whoever sends a request may write there what they like.
type Proxies []netip.Prefix

// Before has ClientAddr return what the proxies say. It goes around everything that asks for it.
func (p Proxies) Before(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if named, ok := p.client(r); ok {
			r = r.WithContext(context.WithValue(r.Context(), clientKey, named))
		}
		next.ServeHTTP(w, r)
	})
}

// Trusts reports whether a request comes straight from one of the proxies.
func (p Proxies) Trusts(r *http.Request) bool {
	peer, ok := parseAddr(peerAddr(r))
	return ok && p.hold(peer)
}

// client returns the address that trusted proxies name; false: they name none. Where X-Forwarded-For and Forwarded both
// stand and differ, one of them was passed on as the client wrote it, and nothing tells which: neither counts.
func (p Proxies) client(r *http.Request) (string, bool) {
	peer, ok := parseAddr(peerAddr(r))
	if !ok || !p.hold(peer) {
		return "", false
	}
	var named []netip.Addr
	for header, read := range map[string]func([]string) []string{"X-Forwarded-For": listed, "Forwarded": forwardedFor} {
		if lines := r.Header.Values(header); len(lines) > 0 {
			named = append(named, p.nearest(peer, read(lines)))
		}
	}
	if len(named) == 0 || len(named) == 2 && named[0] != named[1] {
		return "", false
	}
	return named[0].String(), true
}

// nearest goes from the last hop back to the first one that isn't a trusted proxy. What a proxy says of the hop before it
// is believed as long as that proxy is trusted; where it names no address, its own is the last that is known.
func (p Proxies) nearest(last netip.Addr, hops []string) netip.Addr {
	for _, hop := range slices.Backward(hops) {
		a, ok := parseHop(hop)
		if !ok {
			return last
		}
		if last = a; !p.hold(a) {
			break
		}
	}
	return last
}

func (p Proxies) hold(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(of netip.Prefix) bool { return of.Contains(a) })
}

func parseAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// parseHop reads an address as proxies write it: with a port or without, IPv6 in brackets or bare.
func parseHop(text string) (netip.Addr, bool) {
	if a, ok := parseAddr(text); ok {
		return a, true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		return parseAddr(strings.TrimSuffix(inner, "]"))
	}
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return parseAddr(host)
}

// listed reads X-Forwarded-For: addresses between commas, over one or several lines, each proxy's behind the one before.
func listed(lines []string) []string {
	var out []string
	for _, line := range lines {
		for hop := range strings.SplitSeq(line, ",") {
			if hop = strings.TrimSpace(hop); hop != "" {
				out = append(out, hop)
			}
		}
	}
	return out
}

// forwardedFor reads the `for` of each element of Forwarded (RFC 7239, section 4). One that has none, or can't be read, is
// a hop without an address.
func forwardedFor(lines []string) []string {
	var out []string
	for _, line := range lines {
		for _, element := range splitQuoted(line, ',') {
			if strings.TrimSpace(element) == "" {
				continue
			}
			hop := ""
			for _, pair := range splitQuoted(element, ';') {
				name, value, _ := strings.Cut(pair, "=")
				if strings.EqualFold(strings.TrimSpace(name), "for") {
					hop = unquoted(strings.TrimSpace(value))
				}
			}
			out = append(out, hop)
		}
	}
	return out
}

// splitQuoted splits text at a separator that stands outside double quotes (RFC 9110, section 5.6.4).
func splitQuoted(text string, separator byte) []string {
	var out []string
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			out = append(out, text[begin:i])
			begin = i + 1
		}
	}
	return append(out, text[begin:])
}

func unquoted(text string) string {
	inner, ok := strings.CutPrefix(text, `"`)
	if !ok || !strings.HasSuffix(inner, `"`) {
		return text
	}
	return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `\`, "")
}
