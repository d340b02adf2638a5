package scim_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

// clientError fails unless a refusal is one that a client can be shown.
func clientError(t *testing.T, err error) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest || e.Type == "" {
		t.Fatalf("error %v is not a 400 with a scimType", err)
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "ada@x.com"`, `emails[type eq "work" and value co "@x"].value eq "a"`, `not (a pr) or b.c ge 1.5e3`,
		ent + `:department eq "\u00e9\"" and active eq True`, `id eq "G" and members eq "U"`, `((((`, `title ne null`,
	} {
		f.Add(seed)
	}
	users, groups := scim.NewUserType(), scim.NewGroupType()
	resource := scim.Resource{"userName": "a", "emails": []any{map[string]any{"value": "x", "type": "work"}}, "active": true}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := scim.ParseFilter(groups, s); err != nil {
			clientError(t, err)
		}
		filter, err := scim.ParseFilter(users, s)
		if err != nil {
			clientError(t, err)
			return
		}
		if scim.Match(filter, resource) == scim.Match(scim.Not{Term: filter}, resource) {
			t.Errorf("%s and its negation agree", filter)
		}
		written := filter.String()
		if len(written) > scim.MaxFilterLength {
			return // names in canonical form may be longer
		}
		again, err := scim.ParseFilter(users, written)
		if err != nil && strings.Contains(err.Error(), "nested") {
			return // parentheses that were implied
		}
		if err != nil || !reflect.DeepEqual(again, filter) {
			t.Errorf("%q is written %q, which parses to %v, %v", s, written, again, err)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{
		`userName`, `name.givenName`, `emails[type eq "work"].value`, ent + `:manager.value`, ent, `urn:a:b:c`, `a[b`, `x[y eq "]"]`, `members[value eq "U"]`,
	} {
		f.Add(seed)
	}
	users := scim.NewUserType()
	f.Fuzz(func(t *testing.T, s string) {
		target, err := scim.ParsePath(users, s)
		if err != nil {
			clientError(t, err)
			return
		}
		written := target.String()
		if len(written) > scim.MaxFilterLength {
			return
		}
		again, err := scim.ParsePath(users, written)
		if err != nil && strings.Contains(err.Error(), "nested") {
			return
		}
		if err != nil || !reflect.DeepEqual(again, target) {
			t.Errorf("%q is written %q, which parses to %v, %v", s, written, again, err)
		}
	})
}

func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`{"Operations":[{"op":"Add","path":"emails[type eq \"work\"].value","value":"x"}]}`,
		`{"Operations":[{"op":"Replace","value":{"name.givenName":"A","active":"False","` + ent + `:manager":"m"}}]}`,
		`{"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"U"}]}]}`,
		`{"operations":[{"op":"remove","path":"members[value eq \"U\"]"},{"op":"remove","path":"emails"}]}`,
		`{"Operations":[{"op":"replace","value":{"id":"G","displayName":"New","members":[]}}]}`,
	} {
		f.Add([]byte(seed))
	}
	users, groups := scim.NewUserType(), scim.NewGroupType()
	resource, err := scim.DecodeResource(users, []byte(base))
	if err != nil {
		f.Fatal(err)
	}
	before := resource.Clone()
	f.Fuzz(func(t *testing.T, body []byte) {
		ops, err := scim.ParsePatch(body)
		if err != nil {
			clientError(t, err)
			return
		}
		if edit, err := scim.ParseGroupEdit(groups, ops); err != nil {
			clientError(t, err)
		} else if edit, err = edit.Choose([]scim.GroupMember{{Value: "U", Type: "User", Display: "Ada"}, {Value: "G", Type: "Group"}}); err != nil {
			clientError(t, err)
		} else if fold := edit.Fold(); edit.Chooses() || fold.Replace && len(fold.Add)+len(fold.Remove) > 0 {
			t.Errorf("%s folds to %+v", body, fold)
		}
		after, changed, err := scim.ApplyPatch(users, resource, ops)
		if !resource.Equal(before) {
			t.Fatalf("the input became %v", resource)
		}
		if err != nil {
			clientError(t, err)
			return
		}
		if changed == after.Equal(before) {
			t.Errorf("changed: %t, but %v", changed, after)
		}
		sound(t, users, after)
	})
}

func FuzzBulk(f *testing.F) {
	for _, seed := range []string{
		`{"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a"}}]}`,
		`{"Operations":[{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"path":"members[value eq \"bulkId:u\"]","value":["bulkId:u"]}]}}]}`,
		`{"Operations":[{"method":"DELETE","path":"/Users/1","version":"W/\"1\""},{}]}`, `{"operations":[{"data":{"x":"a/bulkId:\"bulkId:/"}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := scim.ParseBulk(body)
		if err != nil {
			clientError(t, err)
			return
		}
		for i := range request.Operations {
			op := &request.Operations[i]
			if op.Err != nil {
				clientError(t, op.Err)
			}
			ids := map[string]string{}
			for _, ref := range op.References() {
				ids[ref] = "0"
			}
			if got := op.Resolve(ids); len(got.References()) > 0 && !strings.Contains(string(body), "bulkId:bulkId:") {
				t.Errorf("%+v is resolved to %+v", op, got)
			}
			if same := op.Resolve(nil); !reflect.DeepEqual(same, *op) {
				t.Errorf("%+v is resolved by nothing to %+v", op, same)
			}
			if now, _ := op.Defer(nil); op.Data != nil && len((&scim.BulkOperation{Data: now.Data}).References()) > 0 {
				t.Errorf("%+v is split into %+v", op, now)
			}
		}
	})
}

func FuzzDecodeResource(f *testing.F) {
	for _, seed := range []string{
		base, bare, `{"USERNAME":"a","emails":"x","active":"True"}`, `{"members":["a",{"value":"b"}],"displayName":"E"}`,
		`{"emails[type eq \"work\"].value":"x","name.givenName":"y"}`, `{"a":{"a":{"a":[[[]]]}}}`, `{"title":"\ud83d\ude00\\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	users, groups := scim.NewUserType(), scim.NewGroupType()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []*scim.ResourceType{users, groups} {
			r, err := scim.DecodeResource(kind, body)
			if err != nil {
				clientError(t, err)
				continue
			}
			sound(t, kind, r)
		}
	})
}

// sound fails unless a resource is in canonical form: what it encodes to decodes to the same, holds nothing that a
// database can't, and survives a projection that asks for everything.
func sound(t *testing.T, kind *scim.ResourceType, r scim.Resource) {
	t.Helper()
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(encoded), `\u0000`) && !strings.Contains(string(encoded), `\\u0000`) {
		t.Errorf("%s has a NUL", encoded)
	}
	again, err := scim.DecodeResource(kind, encoded)
	if err != nil || !again.Equal(r) {
		t.Errorf("%s decodes to %v, %v", encoded, again, err)
	}
	if got := scim.ParseProjection(kind, nil, nil).Apply(r); !got.Equal(r) {
		t.Errorf("%v is projected to %v", r, got)
	}
}
