package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

const (
	patchSchemas = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`
	userSchemas  = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
)

func TestQuirksAreNamed(t *testing.T) {
	users, groups := scim.NewUserType(), scim.NewGroupType()
	ops := func(ops string) string { return `{` + patchSchemas + `"Operations":[` + ops + `]}` }
	for name, tc := range map[string]struct {
		t            *scim.ResourceType
		method, body string
		want         string
	}{
		"a user by the book": {users, "POST", `{` + userSchemas + `"userName":"a","active":true,"name":{"givenName":"A"},` +
			`"emails":[{"value":"a@x","type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"X"}}`, ""},
		"a PATCH by the book": {users, "PATCH", ops(`{"op":"replace","path":"active","value":false},{"op":"add","path":"emails","value":[{"value":"a@x"}]},` +
			`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"replace","path":"name.givenName","value":"A"}`), ""},
		"members by the book":        {groups, "PATCH", ops(`{"op":"add","path":"members","value":[{"value":"1"}]},{"op":"remove","path":"members[value eq \"1\"]"}`), ""},
		"no schemas":                 {users, "POST", `{"userName":"a"}`, "no schemas"},
		"schemas in another case":    {users, "POST", `{"Schemas":["x"],"userName":"a"}`, ""},
		"a capitalised op":           {users, "PATCH", ops(`{"op":"Replace","path":"active","value":true}`), "capitalised op"},
		"a boolean in quotes":        {users, "PATCH", ops(`{"op":"replace","path":"active","value":"False"}`), "boolean in quotes"},
		"deep in a user":             {users, "POST", `{` + userSchemas + `"userName":"a","emails":[{"value":"a@x","primary":"true"}]}`, "boolean in quotes"},
		"no path":                    {users, "PATCH", ops(`{"op":"replace","value":{"active":false}}`), "value without a path"},
		"Entra's keys":               {users, "PATCH", ops(`{"op":"add","value":{"name.givenName":"A","emails[type eq \"work\"].value":"a@x"}}`), "value without a path, path as a key"},
		"a URN as a key":             {users, "PATCH", ops(`{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"X"}}`), "value without a path, path as a key"},
		"an operation for a list":    {users, "PATCH", `{` + patchSchemas + `"Operations":{"op":"replace","path":"active","value":true}}`, "one operation without a list"},
		"Entra's removal of members": {groups, "PATCH", ops(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"1"}]}`), "capitalised op, remove with values"},
		"a list for one value":       {users, "PATCH", ops(`{"op":"add","path":"emails[type eq \"work\"].value","value":[{"$ref":null,"value":"x"}]}`), "list for a single value"},
		"one value for a list":       {groups, "PATCH", ops(`{"op":"add","path":"members","value":{"value":"1"}}`), "single value for a list"},
		"an object for a text":       {users, "PATCH", ops(`{"op":"add","path":"displayName","value":{"value":"x"}}`), "object for a plain value"},
		"an unknown attribute":       {users, "PUT", `{` + userSchemas + `"userName":"a","shoeSize":7}`, "unknown attribute"},
		"an unknown path":            {users, "PATCH", ops(`{"op":"add","path":"shoeSize","value":7}`), "unknown attribute"},
		"in an extension":            {users, "POST", `{` + userSchemas + `"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"shoe":7}}`, "unknown attribute"},
		"a rename that carries id":   {groups, "PATCH", ops(`{"op":"replace","value":{"id":"1","displayName":"New"}}`), "value without a path, read-only attribute"},
		"each once":                  {users, "PATCH", ops(`{"op":"Add","path":"active","value":"True"},{"op":"Add","path":"active","value":"True"}`), "capitalised op, boolean in quotes"},
		"empty values are no quirk":  {users, "PUT", `{` + userSchemas + `"userName":"a","emails":[],"name":null,"title":""}`, ""},
		"no JSON":                    {users, "POST", `{"userName":`, ""},
		"no object":                  {users, "PATCH", `[1]`, ""},
		"odd operations":             {users, "PATCH", ops(`7,null,{"op":7,"path":8},{"op":"add","path":"[","value":1}`), "value without a path"},
	} {
		var got []string
		for _, q := range scim.Quirks(tc.t, tc.method, []byte(tc.body)) {
			got = append(got, string(q))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestALargeBodyIsNotLookedThrough(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"displayName":"x","members":[{"value":"0"}`)
	for i := range 3000 {
		fmt.Fprintf(&body, `,{"value":"member-%020d"}`, i)
	}
	body.WriteString(`]}`)
	if got := scim.Quirks(scim.NewGroupType(), "POST", []byte(body.String())); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func FuzzQuirks(f *testing.F) {
	f.Add("PATCH", `{"Operations":[{"op":"Add","value":{"name.givenName":"A"}}]}`)
	f.Add("POST", `{"userName":"a","emails":[{"primary":"true"}]}`)
	users := scim.NewUserType()
	f.Fuzz(func(t *testing.T, method, body string) {
		got := scim.Quirks(users, method, []byte(body))
		for i, q := range got {
			if slices.Contains(got[:i], q) {
				t.Errorf("%q twice", q)
			}
		}
	})
}
