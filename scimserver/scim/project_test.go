package scim_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func full(t *testing.T) scim.Resource {
	t.Helper()
	r, err := scim.DecodeResource(scim.NewUserType(), []byte(`{"userName":"ada","name":{"givenName":"A","familyName":"L"},
		"emails":[{"type":"work","value":"w"},{"type":"home","value":"h"}],"`+ent+`":{"department":"D","manager":{"value":"M"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r["id"], r["schemas"], r["password"] = "u1", scim.SchemasOf(scim.NewUserType(), r), "p"
	r["meta"] = map[string]any{"location": "/Users/u1", "version": "1"}
	r["groups"] = []any{map[string]any{"value": "g"}}
	return r
}

func TestProjectionReturnsWhatIsAskedFor(t *testing.T) {
	const id = `"id":"u1","schemas":["` + scim.UserURN + `"]`
	const both = `"id":"u1","schemas":["` + scim.UserURN + `","` + ent + `"]`
	for name, tc := range map[string]struct{ only, except, want string }{
		"one attribute":              {"userName", "", `{` + id + `,"userName":"ada"}`},
		"any case, spaces":           {" USERNAME , Name.GIVENname", "", `{` + id + `,"name":{"givenName":"A"},"userName":"ada"}`},
		"a sub-attribute of many":    {"emails.value", "", `{"emails":[{"value":"w"},{"value":"h"}],` + id + `}`},
		"two of them":                {"emails.value,emails.type", "", `{"emails":[{"type":"work","value":"w"},{"type":"home","value":"h"}],` + id + `}`},
		"qualified core":             {scim.UserURN + ":userName", "", `{` + id + `,"userName":"ada"}`},
		"qualified extension":        {ent + ":department", "", `{` + both + `,"` + ent + `":{"department":"D"}}`},
		"qualified sub-attribute":    {ent + ":manager.value", "", `{` + both + `,"` + ent + `":{"manager":{"value":"M"}}}`},
		"a whole extension":          {ent, "", `{` + both + `,"` + ent + `":{"department":"D","manager":{"value":"M"}}}`},
		"part of meta":               {"meta.location", "", `{` + id + `,"meta":{"location":"/Users/u1"}}`},
		"id alone":                   {"id", "", `{` + id + `}`},
		"only an unknown name":       {"shoe", "", `{` + id + `}`},
		"never a password":           {"password,userName", "", `{` + id + `,"userName":"ada"}`},
		"chosen, then excluded":      {"name,userName", "name.familyName", `{` + id + `,"name":{"givenName":"A"},"userName":"ada"}`},
		"id can't be excluded":       {"userName", "id,schemas", `{` + id + `,"userName":"ada"}`},
		"a whole extension excluded": {"userName," + ent, ent, `{` + id + `,"userName":"ada"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := scim.ParseProjection(scim.NewUserType(), []string{tc.only}, []string{tc.except})
			if !p.Explicit() {
				t.Error("not explicit")
			}
			if got, want := asJSON(t, p.Apply(full(t))), asJSON(t, decodeRaw(t, tc.want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestProjectionWithoutAttributesReturnsDefaults(t *testing.T) {
	for except, gone := range map[string][]string{
		"":                                      {"password"},
		" , ":                                   {"password"}, //nolint:gocritic // white space is the case
		"id,schemas,shoe":                       {"password"},
		"EMAILS,groups":                         {"password", "emails", "groups"},
		ent:                                     {"password", ent},
		ent + ":department," + ent + ":manager": {"password", ent},
		"meta,name":                             {"password", "meta", "name"},
	} {
		p := scim.ParseProjection(scim.NewUserType(), nil, []string{except})
		want := full(t)
		for _, k := range gone {
			delete(want, k)
		}
		want["schemas"] = scim.SchemasOf(scim.NewUserType(), want) // of what is left
		if got := p.Apply(full(t)); p.Explicit() || asJSON(t, got) != asJSON(t, want) {
			t.Errorf("without %q:\n got %s\nwant %s", except, asJSON(t, got), asJSON(t, want))
		}
	}
	p := scim.ParseProjection(scim.NewUserType(), nil, []string{"emails.type"})
	if got := asJSON(t, p.Apply(full(t))["emails"]); got != `[{"value":"w"},{"value":"h"}]` {
		t.Errorf("without emails.type: %s", got)
	}
}

func TestProjectionTellsWhetherMembersAreWanted(t *testing.T) {
	for name, tc := range map[string]struct {
		only, except string
		want         bool
	}{
		"by default":               {"", "", true},
		"excluded":                 {"", "Members", false},
		"excluded, qualified":      {"", scim.GroupURN + ":members", false},
		"all of the core excluded": {"", scim.GroupURN, false},
		"part of it excluded":      {"", "members.display", true},
		"not asked for":            {"id", "", false},
		"asked for":                {"id,members", "", true},
		"part of it asked for":     {"members.value", "", true},
		"all of the core":          {scim.GroupURN, "", true},
		"asked for and excluded":   {"members", "members", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := scim.ParseProjection(scim.NewGroupType(), strings.Split(tc.only, ","), strings.Split(tc.except, ","))
			if p.Wants("members") != tc.want {
				t.Errorf("wants members: %t", !tc.want)
			}
			if !p.Wants("id") || !p.Wants(scim.GroupURN) && name == "by default" || p.Wants("shoe") {
				t.Error("id is always wanted, what is unknown never")
			}
		})
	}
}

func TestProjectionLeavesTheResourceAlone(t *testing.T) {
	r := full(t)
	scim.ParseProjection(scim.NewUserType(), []string{"emails.value"}, nil).Apply(r)
	if asJSON(t, r) != asJSON(t, full(t)) {
		t.Errorf("became %s", asJSON(t, r))
	}
}

func TestSchemasListsExtensionsWithValues(t *testing.T) {
	for name, tc := range map[string]struct {
		r    scim.Resource
		want string
	}{
		"core only":        {scim.Resource{"userName": "a"}, `["` + scim.UserURN + `"]`},
		"enterprise":       {scim.Resource{ent: map[string]any{"department": "D"}}, `["` + scim.UserURN + `","` + ent + `"]`},
		"enterprise empty": {scim.Resource{ent: map[string]any{}}, `["` + scim.UserURN + `"]`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := asJSON(t, scim.SchemasOf(scim.NewUserType(), tc.r)); got != tc.want {
				t.Errorf("schemas %s, want %s", got, tc.want)
			}
		})
	}
}

func TestProjectionKeepsToReturned(t *testing.T) {
	own, err := scim.NewExtension("urn:example:acme:2.0:User", "", "", []scim.Attribute{
		{Name: "always", Returned: scim.Always}, {Name: "request", Returned: scim.Request}, {Name: "never", Returned: scim.Never}, {Name: "usual"},
	})
	if err != nil {
		t.Fatal(err)
	}
	kind := scim.NewUserType(own)
	r := scim.Resource{"id": "u1", own.ID: map[string]any{"always": "a", "request": "r", "never": "n", "usual": "u"}}
	for name, tc := range map[string]struct{ only, except, want string }{
		"by default":         {"", "", `{"always":"a","usual":"u"}`},
		"asked for":          {own.ID + ":request," + own.ID + ":never", "", `{"always":"a","request":"r"}`},
		"another asked for":  {"userName", "", `{"always":"a"}`},
		"excluded":           {"", own.ID + ":always," + own.ID + ":usual", `{"always":"a"}`},
		"the whole excluded": {"", own.ID, `{"always":"a"}`},
	} {
		if got := asJSON(t, scim.ParseProjection(kind, []string{tc.only}, []string{tc.except}).Apply(r)[own.ID]); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
