package scimserver_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// sortKey is what a resource is sorted by (RFC 7644, section 3.4.2.3): of several values the primary one, else the first.
func sortKey(r scim.Resource, p scim.Path) any {
	if !p.Known() || p.Attribute().Returned == scim.Never {
		return nil
	}
	holder := map[string]any(r)
	if p.Extension() {
		holder, _ = r[p.Schema].(map[string]any)
	}
	v := holder[p.Attr]
	if several, ok := v.([]any); ok {
		if len(several) == 0 {
			return nil
		}
		v = several[0]
		for _, e := range slices.Backward(several) {
			if m, ok := e.(map[string]any); ok && m["primary"] == true {
				v = e
			}
		}
	}
	if m, ok := v.(map[string]any); ok && p.Sub != "" {
		v = m[p.Sub]
	}
	leaf := p.Leaf()
	switch v := v.(type) {
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	case string:
		if t, ok := roster.ParseTime(v); ok && leaf.Type == scim.DateTime {
			return roster.SortableTime(t)
		}
		if !leaf.CaseExact {
			return scim.Fold(v)
		}
	}
	return v
}

func compareKeys(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	if x, ok := a.(string); ok {
		return strings.Compare(x, b.(string))
	}
	return cmp.Compare(a.(float64), b.(float64))
}

func sorted(resources []scim.Resource, p scim.Path, descending bool) []string {
	in := slices.Clone(resources)
	slices.SortFunc(in, func(a, b scim.Resource) int {
		n := cmp.Or(compareKeys(sortKey(a, p), sortKey(b, p)), strings.Compare(a["id"].(string), b["id"].(string)))
		if descending {
			return -n
		}
		return n
	})
	var out []string
	for _, r := range in {
		out = append(out, r["id"].(string))
	}
	return out
}

// pages reads a list by cursor, or by index, and returns the ids in the order in which they came.
func (s *service) pages(path string, byCursor bool) []string {
	s.Helper()
	var out []string
	next := "&startIndex=1"
	if byCursor {
		next = "&cursor="
	}
	for range 100 {
		r := s.must(http.StatusOK, "GET", path+next, "")
		page := r.resources()
		out = append(out, page...)
		switch cursor := r.text("nextCursor"); {
		case byCursor && cursor == "":
			return out
		case byCursor:
			next = "&cursor=" + cursor
		case len(page) == 0:
			return out
		default:
			next = fmt.Sprintf("&startIndex=%d", len(out)+1)
		}
	}
	s.Fatalf("%s never ends", path)
	return nil
}

// TestSortingIsThatOfTheRFC holds SQL against a reference for every attribute, and the pages of a list, by cursor and by
// index, against the whole.
func TestSortingIsThatOfTheRFC(t *testing.T) {
	extension := acme(t)
	eachWith(t, scimserver.Config{TokenCache: -1, SkipReads: true, Extensions: map[string][]*scim.Schema{"acme": {extension}}}, func(s *service) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		users := scim.NewUserType(extension)
		people(s, r, users)
		for endpoint, kind := range map[string]*scim.ResourceType{"/Users": users, "/Groups": scim.NewGroupType()} {
			resources := s.all(endpoint)
			for _, name := range newFilters(r, kind, resources).paths {
				path, err := scim.ParseSort(kind, name)
				if err != nil {
					continue
				}
				first := sortKey(resources[0], path)
				alike := !slices.ContainsFunc(resources, func(r scim.Resource) bool { return compareKeys(sortKey(r, path), first) != 0 })
				descending := r.IntN(2) == 0 && !alike // among those that are alike the order is ours
				order := map[bool]string{false: "ascending", true: "descending"}[descending]
				query := endpoint + "?attributes=id&sortOrder=" + order + "&sortBy=" + url.QueryEscape(name)
				want := sorted(resources, path, descending)
				for what, got := range map[string][]string{
					"at once":   s.must(http.StatusOK, "GET", query+"&count=1000", "").resources(),
					"by cursor": s.pages(query+"&count=7", true),
					"by index":  s.pages(query+"&count=7", false),
				} {
					if !slices.Equal(got, want) {
						at := 0
						for at < min(len(got), len(want)) && got[at] == want[at] {
							at++
						}
						s.Fatalf("seed %d: %s %s: %d, want %d; they differ from the %dth on", seed, query, what, len(got), len(want), at+1)
					}
				}
			}
		}
	})
}
