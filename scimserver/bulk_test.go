package scimserver_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver"
)

// bulk sends a bulk request and returns the results' methods with their status.
func (s *service) bulk(body string) (reply, []string) {
	s.Helper()
	r := s.must(http.StatusOK, "POST", "/Bulk", body)
	if schemas, _ := r.body["schemas"].([]any); !slices.Equal(schemas, []any{"urn:ietf:params:scim:api:messages:2.0:BulkResponse"}) {
		s.Errorf("schemas %v", schemas)
	}
	list, _ := r.body["Operations"].([]any)
	out := []string{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		out = append(out, fmt.Sprint(m["method"], " ", m["status"]))
	}
	return r, out
}

func operations(ops ...string) string { return `{"Operations":[` + strings.Join(ops, ",") + `]}` }

func (s *service) wantBulk(what string, got []string, want ...string) {
	s.Helper()
	if !slices.Equal(got, want) {
		s.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The example of RFC 7644, section 3.7.3.
func TestBulkCarriesOutEveryMethod(t *testing.T) {
	each(t, func(s *service) {
		old, gone := s.user("old@x.com"), s.user("gone@x.com")
		g := s.group("Eng", old)
		r, got := s.bulk(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":1,"Operations":[
			{"method":"POST","path":"/Users","bulkId":"qwerty","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:User"],"userName":"Alice","password":"hunter2"}},
			{"method":"PUT","path":"/Users/` + old + `","version":"W/\"1\"","data":{"userName":"Bob"}},
			{"method":"PATCH","path":"/Users/` + old + `","data":{"Operations":[{"op":"add","path":"title","value":"T"}]}},
			{"method":"PATCH","path":"/Groups/` + g + `","bulkId":"mine","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:qwerty"}]}]}},
			{"method":"DELETE","path":"/Users/` + gone + `","version":"W/\"1\""}]}`)
		s.wantBulk("results", got, "POST 201", "PUT 200", "PATCH 200", "PATCH 204", "DELETE 204")
		for path, want := range map[string]any{
			"Operations/0/bulkId": "qwerty", "Operations/0/version": `W/"1"`, "Operations/1/version": `W/"2"`, "Operations/2/version": `W/"3"`,
			"Operations/3/version": `W/"2"`, "Operations/3/bulkId": "mine", "Operations/4/version": nil, "Operations/0/response": nil,
			"Operations/1/location": s.root + "/service/v1/scim/v2/Users/" + old, "Operations/4/location": s.root + "/service/v1/scim/v2/Users/" + gone,
			"Operations/3/location": s.root + "/service/v1/scim/v2/Groups/" + g,
		} {
			if got := r.at(path); got != want {
				s.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		location, _ := r.at("Operations/0/location").(string)
		alice := strings.TrimPrefix(location, s.root+"/service/v1/scim/v2/Users/")
		if read := s.must(http.StatusOK, "GET", "/Users/"+alice, ""); read.text("userName") != "Alice" {
			s.Errorf("made %s", read.raw)
		}
		if got := s.members(g); !slices.Equal(got, []string{"Bob", "Alice"}) {
			s.Errorf("members %v", got)
		}
		s.must(http.StatusNotFound, "GET", "/Users/"+gone, "")
		if strings.Contains(string(r.raw), "hunter2") || strings.Contains(fmt.Sprintf("%+v", s.log(s.org)), "hunter2") {
			s.Errorf("the password is shown: %+v", s.log(s.org))
		}
	})
}

func TestBulkLogsEachOperationAndTheWhole(t *testing.T) {
	each(t, func(s *service) {
		before := len(s.log(s.org))
		r, _ := s.bulk(operations(
			`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"ada"}}`, `{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"Ada"}}`,
			`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"G","members":[{"value":"nobody"}]}}`, `{"method":"GET","path":"/Users/1"}`))
		events := s.eventsByRequest()
		id := r.header.Get("X-Request-Id")
		got := map[string]string{}
		for _, row := range s.log(s.org)[before:] {
			got[fmt.Sprint(row.Method, " ", strings.TrimPrefix(row.Path, "/service/v1/scim/v2"), " ", row.Status)] = row.Detail
			if row.Status == http.StatusCreated && len(events[row.ID]) == 0 {
				s.Errorf("the events of %s %s are not found by its row: %v", row.Method, row.Path, events)
			}
		}
		for row, detail := range map[string]string{
			"POST /Users 201": "operation 1 of the bulk request " + id, "POST /Users 409": "operation 2 of the bulk request " + id,
			"POST /Groups 201": "nobody", "POST /Bulk 200": "4 of 4 operations carried out, 2 of them failed",
		} {
			if !strings.Contains(got[row], detail) {
				s.Errorf("%s: logged as %q, want %q in it; all: %v", row, got[row], detail, got)
			}
		}
	})
}

func TestBulkReferences(t *testing.T) {
	user := func(id, more string) string {
		return `{"method":"POST","path":"/Users","bulkId":"` + id + `","data":{"userName":"` + id + `"` + more + `}}`
	}
	group := func(id string, members ...string) string {
		list := make([]string, len(members))
		for i, m := range members {
			list[i] = `{"value":"bulkId:` + m + `"}`
		}
		return `{"method":"POST","path":"/Groups","bulkId":"` + id + `","data":{"displayName":"` + id + `","members":[` + strings.Join(list, ",") + `]}}`
	}
	manager := func(of string) string { return `,"` + enterprise + `":{"manager":{"value":"bulkId:` + of + `"}}` }
	for name, tc := range map[string]struct {
		ops     []string
		results []string
		members map[string][]string // by displayName
	}{
		"backwards":              {[]string{user("u", ""), group("g", "u")}, []string{"POST 201", "POST 201"}, map[string][]string{"g": {"u"}}},
		"forwards":               {[]string{group("g", "u"), user("u", "")}, []string{"POST 201", "POST 201"}, map[string][]string{"g": {"u"}}},
		"a chain, backwards":     {[]string{group("g", "h"), group("h", "i"), group("i", "u"), user("u", "")}, []string{"POST 201", "POST 201", "POST 201", "POST 201"}, map[string][]string{"g": {"h"}, "h": {"i"}, "i": {"u"}}},
		"a circle of groups":     {[]string{group("g", "h"), group("h", "g")}, []string{"POST 201", "POST 201"}, map[string][]string{"g": {"h"}, "h": {"g"}}},
		"a larger circle":        {[]string{group("g", "h", "u"), group("h", "i"), group("i", "g", "h"), user("u", "")}, []string{"POST 201", "POST 201", "POST 201", "POST 201"}, map[string][]string{"g": {"u", "h"}, "h": {"i"}, "i": {"g", "h"}}},
		"a circle of managers":   {[]string{user("u", manager("v")), user("v", manager("u"))}, []string{"POST 201", "POST 201"}, nil},
		"to itself":              {[]string{group("g", "g")}, []string{"POST 409"}, nil},
		"to nothing":             {[]string{group("g", "x"), user("u", "")}, []string{"POST 400", "POST 201"}, nil},
		"to one that fails":      {[]string{group("g", "u"), user("u", `,"active":"perhaps"`)}, []string{"POST 409", "POST 400"}, nil},
		"a circle that fails":    {[]string{group("g", "h"), group("h", "g", "x")}, []string{"POST 409", "POST 400"}, nil},
		"in a path":              {[]string{user("u", ""), `{"method":"PATCH","path":"/Users/bulkId:u","data":{"Operations":[{"op":"add","path":"title","value":"T"}]}}`, `{"method":"DELETE","path":"/Users/bulkId:u"}`}, []string{"POST 201", "PATCH 200", "DELETE 204"}, nil},
		"in a path, forwards":    {[]string{`{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"add","path":"members","value":"bulkId:u"}]}}`, group("g"), user("u", "")}, []string{"PATCH 204", "POST 201", "POST 201"}, map[string][]string{"g": {"u"}}},
		"in a filter":            {[]string{user("u", ""), user("v", ""), group("g", "u", "v"), `{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"remove","path":"members[value eq \"bulkId:u\"]"}]}}`}, []string{"POST 201", "POST 201", "POST 201", "PATCH 204"}, map[string][]string{"g": {"v"}}},
		"one name twice":         {[]string{user("u", ""), user("u", ""), group("g", "u")}, []string{"POST 201", "POST 400", "POST 201"}, map[string][]string{"g": {"u"}}},
		"a bulkId of another op": {[]string{`{"method":"DELETE","path":"/Users/1","bulkId":"d"}`, group("g", "d")}, []string{"DELETE 404", "POST 400"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(s *service) {
				r, got := s.bulk(operations(tc.ops...))
				s.wantBulk("results of "+string(r.raw), got, tc.results...)
				for g, want := range tc.members {
					found := s.must(http.StatusOK, "GET", "/Groups"+where(`displayName eq "`+g+`"`), "")
					members := s.members(found.resources()[0])
					slices.Sort(members)
					slices.Sort(want)
					if !slices.Equal(members, want) {
						s.Errorf("%s has %v, want %v", g, members, want)
					}
				}
				if name == "a circle of managers" {
					for of, by := range map[string]string{"u": "v", "v": "u"} {
						r := s.must(http.StatusOK, "GET", "/Users"+where(`userName eq "`+of+`"`), "")
						boss := s.must(http.StatusOK, "GET", "/Users"+where(`userName eq "`+by+`"`), "").resources()[0]
						if got := r.at("Resources/0/" + enterprise + "/manager/value"); got != boss {
							s.Errorf("the manager of %s is %v, want %s", of, got, boss)
						}
					}
				}
			})
		})
	}
}

func TestBulkVersionsOfACircleAreTheLast(t *testing.T) {
	each(t, func(s *service) {
		r, _ := s.bulk(operations(
			`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":[{"value":"bulkId:h"}]}}`,
			`{"method":"POST","path":"/Groups","bulkId":"h","data":{"displayName":"h","members":[{"value":"bulkId:g"}]}}`))
		for i := range 2 {
			location, _ := r.at(fmt.Sprintf("Operations/%d/location", i)).(string)
			path := strings.TrimPrefix(location, s.root+"/service/v1/scim/v2")
			if got, want := r.at(fmt.Sprintf("Operations/%d/version", i)), s.must(http.StatusOK, "GET", path, "").header.Get("ETag"); got != want {
				s.Errorf("operation %d: version %v, want %s", i, got, want)
			}
		}
	})
}

func TestBulkStopsAfterAsManyErrorsAsTheClientAccepts(t *testing.T) {
	bad, good := `{"method":"POST","path":"/Users","bulkId":"ID","data":{}}`, `{"method":"POST","path":"/Users","bulkId":"ID","data":{"userName":"ID"}}`
	forward := `{"method":"POST","path":"/Groups","bulkId":"ID","data":{"displayName":"g","members":[{"value":"bulkId:b5"}]}}`
	for name, tc := range map[string]struct {
		limit string
		ops   []string
		want  []string
	}{
		"no limit":             {``, []string{bad, good, bad, good}, []string{"POST 400", "POST 201", "POST 400", "POST 201"}},
		"none":                 {`"failOnErrors":0,`, []string{bad, good}, []string{"POST 400", "POST 201"}},
		"one":                  {`"failOnErrors":1,`, []string{good, bad, good}, []string{"POST 201", "POST 400"}},
		"two, in quotes":       {`"failOnErrors":"2",`, []string{bad, good, bad, good}, []string{"POST 400", "POST 201", "POST 400"}},
		"more than there are":  {`"failOnErrors":9,`, []string{bad, good}, []string{"POST 400", "POST 201"}},
		"one that comes first": {`"failOnErrors":1,`, []string{good, forward, good, good, good, bad}, []string{"POST 201", "POST 400"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(s *service) {
				ops := make([]string, len(tc.ops))
				for i, op := range tc.ops {
					ops[i] = strings.ReplaceAll(op, "ID", fmt.Sprint("b", i))
				}
				_, got := s.bulk(`{` + tc.limit + `"Operations":[` + strings.Join(ops, ",") + `]}`)
				s.wantBulk("results", got, tc.want...)
			})
		})
	}
}

func TestBulkOperationsFailByThemselves(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada")
		for op, want := range map[string]struct{ result, scimType string }{
			`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"ADA"}}`:                                         {"POST 409", "uniqueness"},
			`{"method":"PUT","path":"/Users/` + ada + `","version":"W/\"9\"","data":{"userName":"x"}}`:                         {"PUT 412", ""},
			`{"method":"DELETE","path":"/Users/` + ada + `","version":"W/\"9\""}`:                                              {"DELETE 412", ""},
			`{"method":"DELETE","path":"/Users/nobody"}`:                                                                       {"DELETE 404", ""},
			`{"method":"PATCH","path":"/Users/` + ada + `","data":{"Operations":[{"op":"remove","path":"userName"}]}}`:         {"PATCH 400", "mutability"},
			`{"method":"PATCH","path":"/Users/` + ada + `","data":{"Operations":[{"op":"remove"}]}}`:                           {"PATCH 400", "noTarget"},
			`{"method":"POST","path":"/Robots","bulkId":"a","data":{}}`:                                                        {"POST 404", ""},
			`{"method":"POST","path":"/Bulk","bulkId":"a","data":{"Operations":[]}}`:                                           {"POST 404", ""},
			`{"method":"POST","path":"/Users/.search","bulkId":"a","data":{}}`:                                                 {"POST 400", "invalidSyntax"},
			`{"method":"POST","path":"/Users/` + ada + `","bulkId":"a","data":{"userName":"x"}}`:                               {"POST 400", "invalidSyntax"},
			`{"method":"PUT","path":"/Users","data":{"userName":"x"}}`:                                                         {"PUT 400", "invalidSyntax"},
			`{"method":"DELETE","path":":"}`:                                                                                   {"DELETE 404", ""},
			`{"method":"DELETE","path":"/Users/%zz"}`:                                                                          {"DELETE 404", ""},
			`{"method":"POST","path":"/Users","bulkId":"","data":{"userName":"x"}}`:                                            {"POST 400", "invalidValue"},
			`{"method":"get","path":"/Users/` + ada + `"}`:                                                                     {"GET 400", "invalidSyntax"},
			`{"method":"POST","path":"` + s.root + `/scim/v2/Users","bulkId":"whole","data":{"userName":"whole"}}`:             {"POST 201", ""},
			`{"method":"POST","path":"Users/","bulkId":"loose","data":{"userName":"loose"}}`:                                   {"POST 201", ""},
			`{"method":"PATCH","path":"/Users/` + ada + `","data":{"Operations":[{"op":"replace","path":"a b","value":"x"}]}}`: {"PATCH 400", "invalidPath"},
		} {
			r, got := s.bulk(operations(op))
			kind, _ := r.at("Operations/0/response/scimType").(string)
			if len(got) != 1 || got[0] != want.result || kind != want.scimType {
				s.Errorf("%s: %s, want %s %s", op, r.raw, want.result, want.scimType)
			}
			location, _ := r.at("Operations/0/location").(string)
			if strings.HasPrefix(want.result, "POST 4") && location != "" || strings.Contains(op, `"path":"/Users/`+ada) && !strings.HasPrefix(want.result, "POST") &&
				location != s.root+"/service/v1/scim/v2/Users/"+ada {
				s.Errorf("%s: location %q", op, location)
			}
			failed := !strings.HasSuffix(want.result, "201")
			if detail, _ := r.at("Operations/0/response/detail").(string); (detail != "") != failed {
				s.Errorf("%s: detail %q", op, detail)
			}
		}
		if r := s.must(http.StatusOK, "GET", "/Users/"+ada, ""); r.header.Get("ETag") != `W/"1"` {
			s.Errorf("changed: %s", r.raw)
		}
	})
}

func TestABulkPatchMayBeAListAsInTheExamplesOfTheRFC(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada")
		s.bulk(operations(`{"method":"PATCH","path":"/Users/` + ada + `","version":"W/\"1\"","data":[{"op":"add","path":"title","value":"x"},{"op":"add","path":"userName","value":"Dave"}]}`))
		if r := s.must(http.StatusOK, "GET", "/Users/"+ada, ""); r.text("title") != "x" || r.text("userName") != "Dave" {
			s.Errorf("%s", r.raw)
		}
		if r, got := s.bulk(operations(`{"method":"PUT","path":"/Users/` + ada + `","data":[{"userName":"x"}]}`)); got[0] != "PUT 400" {
			s.Errorf("a PUT with a list: %s", r.raw)
		}
	})
}

func TestBulkLimitsAreToldInTheRFCsWords(t *testing.T) {
	eachWith(t, scimserver.Config{MaxBody: 200_000, TokenCache: -1}, func(s *service) {
		config := s.must(http.StatusOK, "GET", "/ServiceProviderConfig", "")
		if config.at("bulk/maxOperations") != 1000.0 || config.at("bulk/maxPayloadSize") != 200_000.0 || config.at("bulk/supported") != true {
			s.Errorf("announced: %v", config.body["bulk"])
		}
		for want, body := range map[string]string{
			"exceeds the maxPayloadSize (200000)": operations(`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"` + strings.Repeat("x", 200_000) + `"}}`),
			"exceeds the maxOperations (1000)":    operations(slices.Repeat([]string{`{"method":"DELETE","path":"/Users/1"}`}, 1001)...),
		} {
			r := s.do("POST", "/Bulk", body)
			if r.status != http.StatusRequestEntityTooLarge || r.text("status") != "413" || !strings.Contains(r.text("detail"), want) {
				s.Errorf("%d %s, want %s", r.status, r.raw, want)
			}
		}
		if _, got := s.bulk(operations(slices.Repeat([]string{`{"method":"DELETE","path":"/Users/1"}`}, 1000)...)); len(got) != 1000 {
			s.Errorf("%d results", len(got))
		}
		if r := s.send(request{method: "POST", path: "/Bulk", body: operations(`{"method":"DELETE","path":"/Users/1"}`), token: "-"}); r.status != http.StatusUnauthorized {
			s.Errorf("without a token: %d %s", r.status, r.raw)
		}
	})
}
