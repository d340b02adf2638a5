package idpsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

func TestAStatusComesInTheVendorsFormat(t *testing.T) {
	codes := map[string]map[int]string{
		"entra": {429: "TooManyRequests", 500: "InternalServerError", 502: "BadGateway", 503: "serviceNotAvailable", 504: "GatewayTimeout"},
		"okta":  {429: "E0000047", 500: "E0000009", 502: "E0000009", 503: "E0000010", 504: "E0000009"},
	}
	eachVendor(t, func(t *testing.T, v vendor) {
		t.Helper()
		for status, code := range codes[v.name] {
			for _, after := range []string{"", " retry_after=7"} {
				if err := v.rules(fmt.Sprintf("GET %s: %d after=1 times=1%s", v.path, status, after)); err != nil {
					t.Fatal(err)
				}
				first, struck, last := v.get(t.Context(), t, v.url), v.get(t.Context(), t, v.url), v.get(t.Context(), t, v.url)
				if first.status != 200 || struck.status != status || last.status != 200 || v.code(struck.body) != code {
					t.Errorf("%d%s: %d, then %d %s, then %d", status, after, first.status, struck.status, struck.body, last.status)
				}
				waits := struck.header.Get("Retry-After")
				if v.name == "entra" && waits != strings.TrimPrefix(after, " retry_after=") || v.name == "okta" && waits != "" {
					t.Errorf("%d%s: Retry-After %q", status, after, waits)
				}
				if reset := struck.header.Get("X-Rate-Limit-Reset"); v.name == "okta" && after != "" && reset != fmt.Sprint(frozen().Unix()+7) {
					t.Errorf("%d: reset at %s", status, reset)
				}
			}
		}
	})
}

func TestTheWireCanFail(t *testing.T) {
	eachVendor(t, func(t *testing.T, v vendor) {
		t.Helper()
		for fault, holds := range map[string]func(g got) bool{
			"drop":                              func(g got) bool { return errors.Is(g.err, io.EOF) },
			"reset":                             func(g got) bool { return errors.Is(g.err, syscall.ECONNRESET) },
			"truncate":                          func(g got) bool { return errors.Is(g.err, io.ErrUnexpectedEOF) && g.status == 200 && len(g.body) > 100 },
			"delay delay=1ms":                   func(g got) bool { return g.err == nil && g.status == 200 },
			"drip delay=1ms":                    func(g got) bool { return g.err == nil && json.Valid(g.body) },
			"html":                              func(g got) bool { return g.status == 200 && strings.Contains(string(g.body), "<html>") },
			"content_type":                      func(g got) bool { return g.header.Get("Content-Type") == "text/plain" && json.Valid(g.body) },
			"content_type type=application/xml": func(g got) bool { return g.header.Get("Content-Type") == "application/xml" },
			"html status=502": func(g got) bool {
				return g.status == 502 && g.header.Get("Content-Type") == "text/html; charset=utf-8" &&
					strings.Contains(string(g.body), "502 Bad Gateway") && g.header.Get("Request-Id")+g.header.Get("X-Okta-Request-Id") == ""
			},
		} {
			if err := v.rules("* /**: " + fault); err != nil {
				t.Fatal(err)
			}
			if g := v.get(t.Context(), t, v.url); !holds(g) {
				t.Errorf("%s: %d %v %v %.200s", fault, g.status, g.err, g.header, g.body)
			}
		}
	})
}

func TestAHangingRequestEndsWhenTheClientGivesUp(t *testing.T) {
	eachVendor(t, func(t *testing.T, v vendor) {
		t.Helper()
		for name, fault := range map[string]idpsim.Fault{"hang": {Hang: true}, "drip": {Drip: time.Hour}, "delay": {Delay: time.Hour}} {
			arrived, ended := make(chan struct{}), make(chan got, 1)
			remove := v.inject(idpsim.Fault{Count: 1, BeforeRead: func() { close(arrived) }})
			fault.Count = 1
			v.inject(fault)
			ctx, giveUp := context.WithCancel(t.Context())
			go func() { ended <- v.get(ctx, t, v.url) }()
			<-arrived
			if g := v.get(t.Context(), t, v.url); g.status != http.StatusOK { // meanwhile others are served
				t.Errorf("%s: another request: %d %v", name, g.status, g.err)
			}
			select {
			case g := <-ended:
				t.Errorf("%s: ended by itself: %d %v", name, g.status, g.err)
				giveUp()
			default:
				giveUp()
				if g := <-ended; !errors.Is(g.err, context.Canceled) {
					t.Errorf("%s: %d %v", name, g.status, g.err)
				}
			}
			remove()
		}
	})
}

func TestPagesChangeWhileAClientReadsThem(t *testing.T) {
	eachVendor(t, func(t *testing.T, v vendor) {
		t.Helper()
		whole, _ := v.read(t)
		all := slices.Concat(whole...)
		for name, c := range map[string]struct {
			rule string
			want func(pages [][]string, links []string) bool
		}{
			"an entry comes again": {"duplicate times=1", func(p [][]string, _ []string) bool {
				return p[1][0] == p[0][9] && slices.Equal(slices.Compact(slices.Concat(p...)), all)
			}},
			"three come again": {"duplicate entries=3 times=1", func(p [][]string, _ []string) bool {
				return slices.Equal(p[1][:3], p[0][7:])
			}},
			"an entry is on no page": {"miss times=1", func(p [][]string, _ []string) bool {
				return slices.Equal(slices.Concat(p...), slices.Delete(slices.Clone(all), 10, 11))
			}},
			"an empty page has a next link": {"empty_page after=1 times=1", func(p [][]string, _ []string) bool {
				return len(p[1]) == 0 && slices.Equal(slices.Concat(p...), all)
			}},
			"a page links to itself": {"same_link times=1", func(p [][]string, links []string) bool {
				return links[0] == v.url || slices.Equal(p[0], p[1])
			}},
			"an early end":      {"last_page after=1", func(p [][]string, _ []string) bool { return len(p) == 2 }},
			"nothing":           {"empty", func(p [][]string, _ []string) bool { return len(p) == 1 && len(p[0]) == 0 }},
			"a link elsewhere":  {"link link=" + v.url + "&elsewhere=1 times=1", func(_ [][]string, links []string) bool { return strings.Contains(links[0], "elsewhere") }},
			"by query, not met": {"empty", nil},
		} {
			match := "GET " + v.path
			if c.want == nil {
				match += "?nothing=here"
				c.want = func(p [][]string, _ []string) bool { return slices.Equal(slices.Concat(p...), all) }
			}
			if err := v.rules(match + ": " + c.rule); err != nil {
				t.Fatal(err)
			}
			if pages, links := v.read(t); !c.want(pages, links) {
				t.Errorf("%s: %v %v", name, pages, links)
			}
		}
	})
}

func TestAPageTokenExpires(t *testing.T) {
	codes := map[string]string{"entra": "Directory_ExpiredPageToken", "okta": "E0000001"}
	eachVendor(t, func(t *testing.T, v vendor) {
		t.Helper()
		if err := v.rules("GET " + v.path + ": expired"); err != nil {
			t.Fatal(err)
		}
		g := v.get(t.Context(), t, v.url)
		if g.status != http.StatusOK {
			t.Fatalf("the first page, which has no token: %d", g.status)
		}
		_, next := v.page(g.header, g.body)
		if g := v.get(t.Context(), t, next); g.status != http.StatusBadRequest || v.code(g.body) != codes[v.name] {
			t.Errorf("%d %s", g.status, g.body)
		}
	})
}

// Pages "Use delta query to track changes in Microsoft Graph data" and "Microsoft Graph error responses".
func TestADeltaTokenExpiresInBothOfGraphsWays(t *testing.T) {
	for rule, want := range map[string]struct {
		status int
		code   string
	}{
		"GET /users/delta: expired times=1":                           {http.StatusGone, "resyncRequired"},
		"GET /users/delta: expired times=1 code=sync_state_not_found": {http.StatusBadRequest, "syncStateNotFound"},
	} {
		g := newGraph(t, idpsim.Config{Seed: 1, Members: 5})
		link, _ := g.get("/users/delta()?$select=displayName").Body["@odata.deltaLink"].(string)
		if err := ruled(g.SetRules)(rule); err != nil {
			t.Fatal(err)
		}
		a := g.get(link)
		if a.Status != want.status || a.code() != want.code || (want.status == http.StatusGone) != strings.Contains(a.Header.Get("Location"), "$deltatoken=") {
			t.Errorf("%s: %d %s %v", rule, a.Status, a.Raw, a.Header)
		}
		if a := g.get(link); a.Status != http.StatusOK {
			t.Errorf("%s: afterwards %d", rule, a.Status)
		}
	}
}

func TestFaultsReachTokensAndBatches(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 5})
	rule := func(lines ...string) {
		t.Helper()
		if err := ruled(g.SetRules)(lines...); err != nil {
			t.Fatal(err)
		}
	}
	token := func() (answer, error) {
		form := "grant_type=client_credentials&scope=https://graph.microsoft.com/.default&client_id=" + g.ClientID() + "&client_secret=" + g.ClientSecret()
		return g.try(http.MethodPost, g.url+"/"+g.TenantID()+"/oauth2/v2.0/token", strings.NewReader(form), "Content-Type", "application/x-www-form-urlencoded")
	}
	batch := func() (answer, error) {
		return g.try(http.MethodPost, "/$batch", strings.NewReader(`{"requests":[{"id":"1","method":"GET","url":"/users"}]}`))
	}
	rule("POST /oauth2/v2.0/token: 503 times=1", "POST /$batch: 429 times=1 retry_after=3", "GET /users: truncate times=1")
	if a, err := token(); err != nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("token: %d %v", a.Status, err)
	}
	if a, err := batch(); err != nil || a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "3" {
		t.Errorf("batch: %d %v", a.Status, err)
	}
	if _, err := batch(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a truncated item: %v", err)
	}
	for what, ask := range map[string]func() (answer, error){"token": token, "batch": batch} {
		if a, err := ask(); err != nil || a.Status != http.StatusOK {
			t.Errorf("%s afterwards: %d %v", what, a.Status, err)
		}
	}
}

// With a chance the seed decides, and nothing else does: not the clock, not what came before in the process.
func TestTheSeedDecidesWhichRequestsAreStruck(t *testing.T) {
	strikes := func(seed int64) (out string) {
		g := newGraph(t, idpsim.Config{Seed: seed, Members: 3, Outsiders: -1, Disabled: -1})
		if err := ruled(g.SetRules)("GET /users: 500 chance=0.3", "* /**: 429 chance=0.2"); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			out += fmt.Sprint(g.get("/users").Status, " ")
		}
		return out
	}
	one := strikes(1)
	if one != strikes(1) {
		t.Error("the same seed and requests, other faults")
	}
	if one == strikes(2) {
		t.Error("another seed, the same faults")
	}
	if n := strings.Count(one, "500"); n < 8 || n > 30 {
		t.Errorf("%d of 60 struck with a chance of 0.3: %s", n, one)
	}
}

func TestARuleThatIsWrongSaysHowItIsWrittenRight(t *testing.T) {
	for line, want := range map[string]string{
		"GET /users":                            "want METHOD /path: fault",
		"GET /users: 200":                       "a status from 400 to 599, or one of content_type, delay, drip",
		"GET /users: burn":                      "duplicate",
		"users: 429":                            "such as GET /v1.0/users",
		"GET users: 429":                        "such as GET /v1.0/users",
		"GET /users: 429 time=3":                "time",
		"GET /users: 429 times=many":            "times",
		"GET /users: 429 times=-1":              "can't be negative",
		"GET /users: 429 chance=2":              "from 0 to 1",
		"GET /users: delay delay=soon":          "such as 500ms",
		"GET /users: html status=9":             "200 to 599",
		"GET /users: link":                      "wants a link",
		"GET /users/delta: expired code=rotten": "gone or sync_state_not_found",
	} {
		if _, err := idpsim.ParseRule(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	for _, line := range []string{"/users: 429", "* /users: 429", "get /api/v1/users: 500", "GET /users: drip", "GET /users: 503 retry_after=1.5 eventual=true"} {
		if _, err := idpsim.ParseRule(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
