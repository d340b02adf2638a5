package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/web"
)

// behind answers what address a request is taken to come from, where 10.0.0.0/8 and 2001:db8:f::/48 are trusted.
func behind(t *testing.T, remote string, headers ...string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	got := ""
	p := web.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
	p.Before(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = web.ClientAddr(r) })).ServeHTTP(httptest.NewRecorder(), r)
	return got
}

func TestOnlyTrustedProxiesSayWhereARequestBegan(t *testing.T) {
	const proxy, stranger = "10.0.0.1:5000", "203.0.113.66:5000"
	for name, tc := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"no proxy, no header":              {stranger, nil, "203.0.113.66"},
		"a stranger's X-Forwarded-For":     {stranger, []string{"X-Forwarded-For: 192.0.2.1"}, "203.0.113.66"},
		"a stranger's Forwarded":           {stranger, []string{"Forwarded: for=192.0.2.1"}, "203.0.113.66"},
		"the socket":                       {"@", []string{"X-Forwarded-For: 192.0.2.1"}, "local"},
		"a proxy without a header":         {proxy, nil, "10.0.0.1"},
		"one hop":                          {proxy, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		"what the client wrote before":     {proxy, []string{"X-Forwarded-For: 198.51.100.1, 192.0.2.1"}, "192.0.2.1"},
		"as if it were a proxy":            {proxy, []string{"X-Forwarded-For: 198.51.100.1, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		"two proxies":                      {proxy, []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		"two proxies, in two lines":        {proxy, []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.2"}, "192.0.2.1"},
		"another's proxy on the way":       {proxy, []string{"X-Forwarded-For: 192.0.2.1, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"trusted all the way":              {proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"a port":                           {proxy, []string{"X-Forwarded-For: 192.0.2.1:4711"}, "192.0.2.1"},
		"IPv6":                             {proxy, []string{"X-Forwarded-For: 2001:DB8::1"}, "2001:db8::1"},
		"IPv6 in brackets":                 {proxy, []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1"},
		"IPv6 and a port":                  {proxy, []string{"X-Forwarded-For: [2001:db8::1]:443"}, "2001:db8::1"},
		"IPv6 with a zone":                 {proxy, []string{"X-Forwarded-For: fe80::1%eth0"}, "fe80::1"},
		"IPv4 as IPv6":                     {proxy, []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1"},
		"an IPv6 proxy":                    {"[2001:db8:f::1]:9", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		"a proxy seen as IPv4 in IPv6":     {"[::ffff:10.0.0.1]:9", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		"garbage":                          {proxy, []string{"X-Forwarded-For: ' OR 1=1"}, "10.0.0.1"},
		"garbage before the client":        {proxy, []string{"X-Forwarded-For: <x>, 192.0.2.1"}, "192.0.2.1"},
		"garbage where the proxy writes":   {proxy, []string{"X-Forwarded-For: 192.0.2.1, unknown"}, "10.0.0.1"},
		"unknown, as the next proxy says":  {proxy, []string{"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"empty":                            {proxy, []string{"X-Forwarded-For: "}, "10.0.0.1"},
		"commas":                           {proxy, []string{"X-Forwarded-For: ,, 192.0.2.1 ,"}, "192.0.2.1"},
		"Forwarded":                        {proxy, []string{"Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1"},
		"Forwarded, any case, any order":   {proxy, []string{`Forwarded: proto=https; FOR="192.0.2.1:80"`}, "192.0.2.1"},
		"Forwarded, IPv6":                  {proxy, []string{`Forwarded: for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		"Forwarded, two hops":              {proxy, []string{`Forwarded: for=198.51.100.1, for=192.0.2.1`, `Forwarded: for=10.0.0.2`}, "192.0.2.1"},
		"Forwarded, a comma within quotes": {proxy, []string{`Forwarded: for=192.0.2.1;host="a,for=198.51.100.1;b\", for=198.51.100.2"`}, "192.0.2.1"},
		"Forwarded, hidden":                {proxy, []string{"Forwarded: for=192.0.2.1, for=_hidden"}, "10.0.0.1"},
		"Forwarded, without for":           {proxy, []string{"Forwarded: for=192.0.2.1, proto=https"}, "10.0.0.1"},
		"Forwarded, a quote left open":     {proxy, []string{`Forwarded: for=192.0.2.1, for="198.51.100.1`}, "10.0.0.1"},
		"both, and they agree":             {proxy, []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"}, "192.0.2.1"},
		"both, and one is the client's":    {proxy, []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=198.51.100.1"}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := behind(t, tc.remote, tc.headers...); got != tc.want {
				t.Errorf("%q from %s comes from %q, want %q", tc.headers, tc.remote, got, tc.want)
			}
		})
	}
}
