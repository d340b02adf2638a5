package idpsim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// vendor is a tenant with a list of people that comes in pages, as a client of either kind sees it.
type vendor struct {
	name  string
	rules func(lines ...string) error
	// inject adds a fault with hooks, which no rule has.
	inject func(f idpsim.Fault) (remove func())
	url    string // of the list's first page, of ten entries
	path   string // as rules name it
	auth   string
	// page reads the ids of a page and the address of the next.
	page func(h http.Header, body []byte) (ids []string, next string)
	// code is that of an error body.
	code func(body []byte) string
}

func vendors(t *testing.T) []vendor {
	t.Helper()
	entra := idpsim.New(idpsim.Config{Seed: 5, Members: 40, Groups: 3, Now: frozen})
	okta := idpsim.NewOkta(idpsim.OktaConfig{Seed: 5, Members: 40, Groups: 3, Now: frozen})
	serve := func(h http.Handler) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	return []vendor{
		{
			name: "entra", rules: ruled(entra.SetRules), inject: entra.Inject, url: serve(entra) + "/v1.0/users?$top=10", path: "/v1.0/users",
			auth: "Bearer " + entra.AccessToken(),
			page: func(_ http.Header, body []byte) (ids []string, next string) {
				var doc struct {
					Value []struct{ ID string } `json:"value"`
					Next  string                `json:"@odata.nextLink"`
				}
				if err := json.Unmarshal(body, &doc); err != nil {
					t.Fatalf("%v in %s", err, body)
				}
				for _, v := range doc.Value {
					ids = append(ids, v.ID)
				}
				return ids, doc.Next
			},
			code: func(body []byte) string {
				var doc struct {
					Error struct {
						Code  string
						Inner map[string]string `json:"innerError"`
					}
				}
				if json.Unmarshal(body, &doc) != nil || doc.Error.Inner["request-id"] == "" {
					return ""
				}
				return doc.Error.Code
			},
		},
		{
			name: "okta", rules: ruled(okta.SetRules), inject: okta.Inject, url: serve(okta) + "/api/v1/apps/" + okta.AppID() + "/users?limit=10", path: "/apps/*/users",
			auth: "SSWS " + okta.APIToken(),
			page: func(h http.Header, body []byte) (ids []string, next string) {
				var doc []struct{ ID string }
				if err := json.Unmarshal(body, &doc); err != nil {
					t.Fatalf("%v in %s", err, body)
				}
				for _, v := range doc {
					ids = append(ids, v.ID)
				}
				for _, l := range h.Values("Link") {
					if at, ok := strings.CutSuffix(l, `>; rel="next"`); ok {
						next = strings.TrimPrefix(at, "<")
					}
				}
				return ids, next
			},
			code: func(body []byte) string {
				var doc struct{ ErrorCode, ErrorID string }
				if json.Unmarshal(body, &doc) != nil || doc.ErrorID == "" {
					return ""
				}
				return doc.ErrorCode
			},
		},
	}
}

func frozen() time.Time { return time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC) }

func ruled(set func(rules ...idpsim.Rule) error) func(lines ...string) error {
	return func(lines ...string) error {
		var rules []idpsim.Rule
		for _, l := range lines {
			r, err := idpsim.ParseRule(l)
			if err != nil {
				return err
			}
			rules = append(rules, r)
		}
		return set(rules...)
	}
}

// got is an answer, or why there was none.
type got struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (v vendor) get(ctx context.Context, t *testing.T, url string) got {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", v.auth)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return got{res.StatusCode, res.Header, body, err}
}

// read follows the pages as a client without doubts would, and returns what each held.
func (v vendor) read(t *testing.T) (pages [][]string, links []string) {
	t.Helper()
	for next := v.url; next != "" && len(pages) < 20; {
		g := v.get(t.Context(), t, next)
		if g.err != nil || g.status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", next, g.status, g.err, g.body)
		}
		var ids []string
		ids, next = v.page(g.header, g.body)
		pages, links = append(pages, ids), append(links, next)
	}
	return pages, links
}

func eachVendor(t *testing.T, test func(t *testing.T, v vendor)) {
	t.Helper()
	for _, v := range vendors(t) {
		t.Run(v.name, func(t *testing.T) { test(t, v) })
	}
}
