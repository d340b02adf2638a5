package scim_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func TestBulkRequestIsTolerant(t *testing.T) {
	got, err := scim.ParseBulk([]byte(`{"SCHEMAS":[],"failonerrors":"2","operations":[
		{"Method":"post","path":"/Users","bulkid":"a","data":{"userName":"a"}},
		{"method":"DELETE","path":"/Users/1","version":"W/\"1\"","bulkId":null,"data":null}]}`))
	check(t, err, "")
	if got.FailOnErrors != 2 || len(got.Operations) != 2 {
		t.Fatalf("read %+v", got)
	}
	for i, want := range []scim.BulkOperation{
		{Method: "POST", Path: "/Users", BulkID: "a", Data: map[string]any{"userName": "a"}}, {Method: "DELETE", Path: "/Users/1", Version: `W/"1"`},
	} {
		if asJSON(t, got.Operations[i]) != asJSON(t, want) {
			t.Errorf("operation %d: %+v", i, got.Operations[i])
		}
	}
}

func TestBulkRequestRefused(t *testing.T) {
	for body, tc := range map[string]struct {
		status   int
		scimType string
	}{
		``:                     {400, "invalidSyntax"},
		`[]`:                   {400, "invalidSyntax"},
		`{}`:                   {400, "invalidSyntax"},
		`{"Operations":{}}`:    {400, "invalidSyntax"},
		`{"Operations":[]}`:    {400, "invalidSyntax"},
		`{"Operations":"x"}`:   {400, "invalidSyntax"},
		`{"failOnErrors":-1}`:  {400, "invalidValue"},
		`{"failOnErrors":1.5}`: {400, "invalidValue"},
		`{"failOnErrors":{}}`:  {400, "invalidValue"},
		`{"Operations":[` + strings.Repeat(`{},`, scim.MaxBulkOperations) + `{}]}`: {413, ""},
	} {
		_, err := scim.ParseBulk([]byte(body))
		var e *scim.Error
		if !errors.As(err, &e) || e.Status != tc.status || e.Type != tc.scimType {
			t.Errorf("%.60s: %v, want %d %s", body, err, tc.status, tc.scimType)
		}
	}
	_, err := scim.ParseBulk([]byte(`{"Operations":[` + strings.Repeat(`{},`, scim.MaxBulkOperations) + `{}]}`))
	if !strings.Contains(err.Error(), "maxOperations (1000)") {
		t.Errorf("the limit is not named: %v", err)
	}
}

// What is wrong with one operation is its own failure.
func TestBulkOperationRefused(t *testing.T) {
	for op, scimType := range map[string]string{
		`"x"`:                                "invalidSyntax",
		`{}`:                                 "invalidSyntax",
		`{"method":7,"path":"/x"}`:           "invalidSyntax",
		`{"method":"GET","path":"/Users/1"}`: "invalidSyntax",
		`{"method":"DELETE"}`:                "invalidSyntax",
		`{"method":"DELETE","path":["/Users/1"]}`:                                                  "invalidSyntax",
		`{"method":"POST","path":"/Users","data":{}}`:                                              "invalidValue",
		`{"method":"POST","path":"/Users","bulkId":"taken","data":{}}`:                             "invalidValue",
		`{"method":"POST","path":"/Users","bulkId":"b"}`:                                           "invalidSyntax",
		`{"method":"PUT","path":"/Users/1","data":[]}`:                                             "invalidSyntax",
		`{"method":"PATCH","path":"/Users/1","data":null}`:                                         "invalidSyntax",
		`{"method":"POST","path":"/Users","data":{},"bulkId":"` + strings.Repeat("x", 2000) + `"}`: "invalidValue",
	} {
		got, err := scim.ParseBulk([]byte(`{"Operations":[{"method":"POST","path":"/Users","bulkId":"taken","data":{}},` + op + `]}`))
		check(t, err, "")
		if got.Operations[0].Err != nil {
			t.Errorf("the good one: %v", got.Operations[0].Err)
		}
		if e := got.Operations[1].Err; e == nil || e.Type != scimType || e.Status != http.StatusBadRequest {
			t.Errorf("%.80s: %v, want %s", op, e, scimType)
		}
	}
}

func TestBulkReferencesAreFoundAndResolved(t *testing.T) {
	ids := map[string]string{"a": "1", "b c": "2"}
	for name, tc := range map[string]struct {
		path, data, refs string
		wantPath, want   string
	}{
		"a member":              {"/Groups", `{"members":[{"value":"bulkId:a"},{"value":"3"}]}`, "a", "/Groups", `{"members":[{"value":"1"},{"value":"3"}]}`},
		"a plain member":        {"/Groups", `{"members":["bulkId:b c"]}`, "b c", "/Groups", `{"members":["2"]}`},
		"a path":                {"/Users/bulkId:a", `{}`, "a", "/Users/1", `{}`},
		"a path with more":      {"/Users/bulkId:a?attributes=id", `{}`, "a", "/Users/1?attributes=id", `{}`},
		"a filter":              {"/Groups/9", `{"Operations":[{"path":"members[value eq \"bulkId:a\" or value eq \"bulkId:b c\"]"}]}`, "a,b c", "/Groups/9", `{"Operations":[{"path":"members[value eq \"1\" or value eq \"2\"]"}]}`},
		"a $ref":                {"/Groups", `{"members":[{"$ref":"../Users/bulkId:a"}]}`, "a", "/Groups", `{"members":[{"$ref":"../Users/1"}]}`},
		"one that nobody has":   {"/Groups", `{"x":"bulkId:z","y":"bulkId:a"}`, "z,a", "/Groups", `{"x":"bulkId:z","y":"1"}`},
		"in the midst of words": {"/Groups", `{"x":"see bulkId:a","y":"bulkId"}`, "", "/Groups", `{"x":"see bulkId:a","y":"bulkId"}`},
		"none":                  {"/Groups", `{"x":[1,true,null,{"y":"a"}]}`, "", "/Groups", `{"x":[1,true,null,{"y":"a"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			op := scim.BulkOperation{Method: "POST", Path: tc.path, Data: any(decodeRaw(t, tc.data))}
			refs := op.References()
			slices.Sort(refs)
			want := strings.FieldsFunc(tc.refs, func(r rune) bool { return r == ',' })
			slices.Sort(want)
			if !slices.Equal(refs, want) {
				t.Errorf("references %v, want %v", refs, want)
			}
			got := op.Resolve(ids)
			if got.Path != tc.wantPath || asJSON(t, got.Data) != asJSON(t, decodeRaw(t, tc.want)) {
				t.Errorf("resolved to %s %s", got.Path, asJSON(t, got.Data))
			}
			if asJSON(t, op.Data) != asJSON(t, decodeRaw(t, tc.data)) {
				t.Errorf("the operation became %s", asJSON(t, op.Data))
			}
		})
	}
}

func TestBulkDefersWhatRefersToACircle(t *testing.T) {
	op := scim.BulkOperation{Method: "POST", Path: "/Groups", Data: any(decodeRaw(t,
		`{"displayName":"A","externalId":"e","members":[{"value":"bulkId:b"},{"value":"bulkId:a"}]}`))}
	now, later := op.Defer(map[string]string{"a": "1"})
	if asJSON(t, now.Data) != `{"displayName":"A","externalId":"e"}` || asJSON(t, later) != `{"members":[{"value":"bulkId:b"},{"value":"1"}]}` {
		t.Errorf("now %s, later %s", asJSON(t, now.Data), asJSON(t, later))
	}
}

func TestBulkResponseIsTheRFCs(t *testing.T) {
	got := asJSON(t, scim.BulkResponse{Operations: []scim.BulkResult{
		{Method: "POST", BulkID: "q", Location: "https://x/Users/1", Version: `W/"1"`, Status: 201},
		{Method: "DELETE", Location: "https://x/Users/2", Status: 404, Err: scim.NewError(404, "gone")},
	}})
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],"Operations":[` +
		`{"location":"https://x/Users/1","method":"POST","bulkId":"q","version":"W/\"1\"","status":"201"},` +
		`{"location":"https://x/Users/2","method":"DELETE","status":"404","response":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"gone"}}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
