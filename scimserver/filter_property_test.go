package scimserver_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/scimserver/scim"
)

const custom = "urn:example:params:scim:schemas:extension:acme:2.0:User"

// acme is an extension with an attribute of each type.
func acme(t testing.TB) *scim.Schema {
	t.Helper()
	s, err := scim.NewExtension(custom, "Acme", "", []scim.Attribute{
		{Name: "badge", Type: scim.Integer}, {Name: "rate", Type: scim.Decimal}, {Name: "hired", Type: scim.DateTime},
		{Name: "remote", Type: scim.Boolean}, {Name: "tags", MultiValued: true}, {Name: "Codes", MultiValued: true, CaseExact: true},
		{Name: "site", Type: scim.Complex, SubAttributes: []scim.Attribute{{Name: "name"}, {Name: "floor", Type: scim.Integer}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// words are what the values are made of: cases, scripts, composed and not, what LIKE and JSON find special, white space.
func words() []string {
	return []string{
		"a", "A", "ab", "aB", "b", "work", "Work", "home", "é", "É", "e\u0301", "ß", "SS", "ſ", "K", "k", "İ", "%", "_", `\`, `"`, "'",
		" a", "a ", "a b", "Ωmega", "日本", "😀", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "1", "10", "true", "direct", "user", "group",
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// randomValue makes a value of an attribute in canonical form; nil: none.
func randomValue(r *rand.Rand, a *scim.Attribute) any {
	if a.MultiValued {
		single := *a
		single.MultiValued = false
		var list []any
		for range r.IntN(4) {
			if v := randomValue(r, &single); v != nil {
				list = append(list, v)
			}
		}
		if len(list) == 0 {
			return nil
		}
		return list
	}
	switch a.Type {
	case scim.Complex:
		m := map[string]any{}
		for i := range a.SubAttributes {
			if v := randomValue(r, &a.SubAttributes[i]); v != nil && r.IntN(3) > 0 {
				m[a.SubAttributes[i].Name] = v
			}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	case scim.Boolean:
		return r.IntN(2) == 0
	case scim.Integer:
		return pick(r, []int64{-1, 0, 1, 2, 10, 1 << 40})
	case scim.Decimal:
		return pick(r, []float64{-1.5, 0, 1, 1.5, 1e20, 1e-7})
	case scim.DateTime:
		return pick(r, []string{"2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00.000001Z", "2021-06-01T12:00:00"})
	}
	return pick(r, words())
}

func randomAttributes(r *rand.Rand, t *scim.ResourceType, n int) roster.Attributes {
	out := roster.Attributes{}
	for _, s := range t.Schemas() {
		holder := map[string]any(out)
		if s != t.Schema {
			holder = map[string]any{}
		}
		for i := range s.Attributes {
			a := &s.Attributes[i]
			if slices.Contains([]string{"userName", "active", "password", "groups"}, a.Name) || r.IntN(3) == 0 {
				continue
			}
			if v := randomValue(r, a); v != nil {
				holder[a.Name] = v
			}
		}
		if s != t.Schema && len(holder) > 0 {
			out[s.ID] = holder
		}
	}
	out["userName"] = fmt.Sprintf("%s%d", pick(r, words()), n)
	if r.IntN(2) == 0 {
		out["externalId"] = fmt.Sprintf("%s%d", pick(r, words()), n)
	}
	return out
}

// filters makes filters over a type, with values that the resources have.
type filters struct {
	*rand.Rand

	t     *scim.ResourceType
	paths []string
	texts []string
}

func newFilters(r *rand.Rand, t *scim.ResourceType, resources []scim.Resource) *filters {
	f := &filters{Rand: r, t: t, texts: words()}
	f.paths = []string{
		"id", "externalId", "schemas", "meta.created", "meta.lastModified", "meta.location", "meta.version", "meta.resourceType", "meta",
		"nonsense", "name.nonsense", "urn:nobody:x", "schemas.value",
	}
	for _, s := range t.Schemas() {
		prefix := ""
		if s != t.Schema {
			prefix = s.ID + ":"
		}
		for i := range s.Attributes {
			a := &s.Attributes[i]
			f.paths = append(f.paths, prefix+a.Name)
			for j := range a.SubAttributes {
				f.paths = append(f.paths, prefix+a.Name+"."+a.SubAttributes[j].Name)
			}
		}
	}
	for _, res := range resources {
		for _, name := range []string{"id", "userName", "externalId", "displayName"} {
			if s, ok := res[name].(string); ok {
				f.texts = append(f.texts, s)
			}
		}
		if meta, ok := res["meta"].(map[string]any); ok {
			for _, name := range []string{"created", "location", "version", "resourceType"} {
				f.texts = append(f.texts, meta[name].(string))
			}
		}
		for _, e := range slices.Concat(list(res["groups"]), list(res["members"])) {
			m, _ := e.(map[string]any)
			f.texts = append(f.texts, m["value"].(string), m["$ref"].(string), m["display"].(string))
		}
	}
	f.texts = append(f.texts, scim.UserURN, scim.GroupURN, scim.EnterpriseUserURN, custom)
	return f
}

func list(v any) []any {
	out, _ := v.([]any)
	return out
}

// filter makes a filter; it may be one that is refused.
func (f *filters) filter(depth int) string {
	if depth > 0 {
		switch f.IntN(5) {
		case 0:
			return "(" + f.filter(depth-1) + ") and (" + f.filter(depth-1) + ")"
		case 1:
			return "(" + f.filter(depth-1) + ") or (" + f.filter(depth-1) + ")"
		case 2:
			return "not (" + f.filter(depth-1) + ")"
		}
	}
	path := pick(f.Rand, f.paths)
	attr, sub, dotted := strings.Cut(path[strings.LastIndexByte(path, ':')+1:], ".")
	if dotted && f.IntN(3) == 0 {
		return strings.TrimSuffix(path, "."+sub) + "[" + f.inner(strings.TrimSuffix(path, "."+sub), attr, 2) + "]"
	}
	return path + " " + f.comparison()
}

func (f *filters) inner(path, attr string, depth int) string {
	if depth > 0 {
		switch f.IntN(4) {
		case 0:
			return f.inner(path, attr, depth-1) + " and " + f.inner(path, attr, depth-1)
		case 1:
			return "not (" + f.inner(path, attr, depth-1) + " or " + f.inner(path, attr, depth-1) + ")"
		}
	}
	var subs []string
	for _, p := range f.paths {
		if sub, ok := strings.CutPrefix(p, path+"."); ok {
			subs = append(subs, sub)
		}
	}
	return pick(f.Rand, subs) + " " + f.comparison()
}

func (f *filters) comparison() string {
	op := pick(f.Rand, []string{"eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"})
	if op == "pr" {
		return op
	}
	switch f.IntN(8) {
	case 0:
		return op + " " + pick(f.Rand, []string{"true", "false", "null", "0", "1.5", "-1", "10", "1e20"})
	case 1:
		return op + " " + strconv.Quote(pick(f.Rand, []string{"2020-01-01T00:00:00Z", "2020-01-01T00:00:00.0000015Z", "2100-01-01T00:00:00Z", ""}))
	}
	text := pick(f.Rand, f.texts)
	if runes := []rune(text); op != "eq" && len(runes) > 2 && f.IntN(2) == 0 {
		from := f.IntN(len(runes) - 1)
		text = string(runes[from : from+1+f.IntN(len(runes)-from-1)])
	}
	quoted, _ := json.Marshal(text)
	return op + " " + string(quoted)
}

// people fills a service with members, deactivated ones among them, teams and groups within groups.
func people(s *service, r *rand.Rand, t *scim.ResourceType) {
	s.Helper()
	var changes []roster.Change
	for i := range 60 {
		changes = append(changes, roster.MemberCreate{Attributes: randomAttributes(r, t, i), Active: r.IntN(4) > 0})
	}
	outs, err := s.roster.Commit(s.Context(), s.org, roster.Cause{By: roster.ByPush, Atomic: true}, changes)
	if err != nil {
		s.Fatal(err)
	}
	var groups []string
	for i := range 12 {
		var members []map[string]string
		for range r.IntN(6) {
			members = append(members, map[string]string{"value": pick(r, outs).ID})
		}
		if len(groups) > 0 && r.IntN(3) == 0 {
			members = append(members, map[string]string{"value": pick(r, groups)})
		}
		body := map[string]any{"displayName": pick(r, words()), "members": members}
		if r.IntN(2) == 0 {
			body["externalId"] = fmt.Sprint(pick(r, words()), i)
		}
		raw, _ := json.Marshal(body)
		groups = append(groups, s.must(http.StatusCreated, "POST", "/Groups", string(raw)).id())
	}
}

// all returns every resource at an endpoint, as it is served.
func (s *service) all(endpoint string) []scim.Resource {
	s.Helper()
	var out []scim.Resource
	for _, e := range list(s.must(http.StatusOK, "GET", endpoint+"?count=1000", "").body["Resources"]) {
		m, _ := e.(map[string]any)
		out = append(out, m)
	}
	return out
}

// TestFiltersFindWhatMatchFinds holds SQL against the reference: the same filter finds the same resources.
func TestFiltersFindWhatMatchFinds(t *testing.T) {
	rounds := 400 // a search for faults takes more: ROSTERD_TEST_FILTERS=20000
	if n, err := strconv.Atoi(os.Getenv("ROSTERD_TEST_FILTERS")); err == nil {
		rounds = n
	}
	extension := acme(t)
	eachWith(t, scimserver.Config{TokenCache: -1, SkipReads: true, Extensions: map[string][]*scim.Schema{"acme": {extension}}}, func(s *service) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		users, groups := scim.NewUserType(extension), scim.NewGroupType()
		people(s, r, users)
		accepted := 0
		for endpoint, kind := range map[string]*scim.ResourceType{"/Users": users, "/Groups": groups} {
			resources := s.all(endpoint)
			f := newFilters(r, kind, resources)
			for range rounds {
				accepted += s.compare(endpoint, kind, f.filter(2), resources, seed)
			}
		}
		if accepted < rounds/2 {
			s.Errorf("only %d filters were accepted: the generator makes nonsense", accepted)
		}
	})
}

// compare asks for what a filter finds. It returns 1 if the filter was accepted.
func (s *service) compare(endpoint string, kind *scim.ResourceType, filter string, resources []scim.Resource, seed uint64) int {
	s.Helper()
	got := s.do("GET", endpoint+where(filter)+"&count=1000&attributes=id", "")
	parsed, err := scim.ParseFilter(kind, filter)
	if err != nil {
		if got.status != http.StatusBadRequest || got.text("scimType") != "invalidFilter" {
			s.Errorf("%s is refused by the parser (%v) but answered with %d %s", filter, err, got.status, got.raw)
		}
		return 0
	}
	if got.status != http.StatusOK {
		s.Fatalf("seed %d: %s: %d %s", seed, filter, got.status, got.raw)
	}
	var want []string
	for _, res := range resources {
		if scim.Match(parsed, res) {
			want = append(want, res["id"].(string))
		}
	}
	found := got.resources()
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) || got.body["totalResults"] != float64(len(want)) {
		s.Errorf("seed %d: %s %s (%s)\n finds %d of %v\n wants %d", seed, endpoint, filter, parsed, len(found), got.body["totalResults"], len(want))
		for _, res := range resources {
			if id, _ := res["id"].(string); slices.Contains(found, id) != slices.Contains(want, id) {
				raw, _ := json.Marshal(res)
				s.Fatalf("differs for %s", raw)
			}
		}
	}
	return 1
}
