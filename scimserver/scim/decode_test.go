package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

const ent = scim.EnterpriseUserURN

func TestDecodeUserIsTolerant(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"what Entra sends": {
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"externalId":"0a21","userName":"ada@x.com","active":true,"emails":[{"primary":true,"type":"work","value":"ada@x.com"}],
			"meta":{"resourceType":"User"},"name":{"formatted":"Ada L","familyName":"L","givenName":"Ada"},"roles":[]}`,
			`{"active":true,"emails":[{"primary":true,"type":"work","value":"ada@x.com"}],"externalId":"0a21",
			"name":{"familyName":"L","formatted":"Ada L","givenName":"Ada"},"userName":"ada@x.com"}`,
		},
		"what Okta sends": {
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@x.com","name":{"givenName":"Ada","familyName":"L"},
			"emails":[{"primary":true,"value":"ada@x.com","type":"work"}],"displayName":"Ada L","locale":"en-US","externalId":"00u1",
			"groups":[],"password":"1mz050nq","active":true}`,
			`{"active":true,"displayName":"Ada L","emails":[{"primary":true,"type":"work","value":"ada@x.com"}],"externalId":"00u1",
			"locale":"en-US","name":{"familyName":"L","givenName":"Ada"},"userName":"ada@x.com"}`,
		},
		"names in any case":               {`{"USERNAME":"a","Name":{"GIVENNAME":"b"}}`, `{"name":{"givenName":"b"},"userName":"a"}`},
		"schemas of no sense":             {`{"schemas":"URN:x","userName":"a"}`, `{"userName":"a"}`},
		"unknown attributes":              {`{"userName":"a","shoeSize":42,"name":{"nick":"x"},"a b[":1}`, `{"userName":"a"}`},
		"unknown extensions":              {`{"userName":"a","urn:acme:2.0:User":{"x":1},"urn:acme:2.0:User:y":2}`, `{"userName":"a"}`},
		"read-only and password dropped":  {`{"id":"1","meta":{},"groups":[{"value":"g"}],"password":"p","userName":"a"}`, `{"userName":"a"}`},
		"boolean in quotes":               {`{"active":"False","emails":[{"value":"x","primary":"True"}]}`, `{"active":false,"emails":[{"primary":true,"value":"x"}]}`},
		"number for a text":               {`{"externalId":12345678901234567890}`, `{"externalId":"12345678901234567890"}`},
		"null, blank and empty clear":     {`{"userName":"a","title":null,"nickName":"","emails":[],"name":{"givenName":null},"active":null}`, `{"userName":"a"}`},
		"empty userName is absent":        {`{"userName":"","title":"x"}`, `{"title":"x"}`},
		"an object for a list":            {`{"emails":{"value":"x"}}`, `{"emails":[{"value":"x"}]}`},
		"a text for a list":               {`{"emails":"x"}`, `{"emails":[{"value":"x"}]}`},
		"texts in a list":                 {`{"emails":["x","y"]}`, `{"emails":[{"value":"x"},{"value":"y"}]}`},
		"values of labels only":           {`{"emails":[{"type":"work","value":"","primary":true},null,{"value":"x"}]}`, `{"emails":[{"value":"x"}]}`},
		"last primary stays":              {`{"emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}`, `{"emails":[{"primary":false,"value":"x"},{"primary":true,"value":"y"}]}`},
		"manager as a text":               {`{"` + ent + `":{"manager":"m"}}`, `{"` + ent + `":{"manager":{"value":"m"}}}`},
		"manager's read-only name":        {`{"` + ent + `":{"manager":{"value":"m","displayName":"M"}}}`, `{"` + ent + `":{"manager":{"value":"m"}}}`},
		"extension URN in any case":       {`{"` + strings.ToUpper(ent) + `":{"DEPARTMENT":"d"}}`, `{"` + ent + `":{"department":"d"}}`},
		"extension with nothing in it":    {`{"` + ent + `":{"department":null},"userName":"a"}`, `{"userName":"a"}`},
		"dotted key":                      {`{"name.givenName":"A","name":{"familyName":"L"}}`, `{"name":{"familyName":"L","givenName":"A"}}`},
		"URN-qualified key":               {`{"` + ent + `:department":"d","` + scim.UserURN + `:title":"t"}`, `{"title":"t","` + ent + `":{"department":"d"}}`},
		"qualified dotted key":            {`{"` + ent + `:manager.value":"m"}`, `{"` + ent + `":{"manager":{"value":"m"}}}`},
		"core attributes under their URN": {`{"` + scim.UserURN + `":{"userName":"a"}}`, `{"userName":"a"}`},
		"value path key":                  {`{"emails[type eq \"work\"].value":"x","emails[type eq \"work\"].primary":"true"}`, `{"emails":[{"primary":true,"type":"work","value":"x"}]}`},
		"value path key meets its value":  {`{"EMAILS[type eq \"work\"].value":"y","emails":[{"type":"work","value":"x"}]}`, `{"emails":[{"type":"work","value":"y"}]}`},
		"same name twice, last in order":  {`{"title":"small","Title":"capital"}`, `{"title":"small"}`},
		"text at its limit":               {`{"userName":"` + strings.Repeat("x", scim.KeyMaxBytes) + `"}`, `{"userName":"` + strings.Repeat("x", scim.KeyMaxBytes) + `"}`},
		"a surrogate pair":                {`{"title":"\ud83d\ude00"}`, `{"title":"😀"}`},
		"the deepest allowed":             {`{"userName":"a","x":` + strings.Repeat("[", scim.MaxDepth-1) + strings.Repeat("]", scim.MaxDepth-1) + `}`, `{"userName":"a"}`},
		"a byte order mark":               {"\ufeff" + `{"title":"x"}`, `{"title":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scim.DecodeResource(scim.NewUserType(), []byte(tc.body))
			check(t, err, "")
			if want := strings.ReplaceAll(strings.ReplaceAll(tc.want, "\n", ""), "\t", ""); asJSON(t, got) != want {
				t.Errorf("decoded %s\n   want %s", asJSON(t, got), want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ body, scimType string }{
		"nothing":                    {``, "invalidSyntax"},
		"not JSON":                   {`{"userName":`, "invalidSyntax"},
		"a name twice":               {`{"userName":"a","title":"x","userName":"b"}`, "invalidSyntax"},
		"a name twice, escaped":      {`{"userName":"a","user\u004eame":"b"}`, "invalidSyntax"},
		"a name twice, further down": {`{"userName":"a","x":[{"y":1,"y":1}]}`, "invalidSyntax"},
		"a control character":        {"{\"userName\":\"a\n\"}", "invalidSyntax"},
		"too many values":            {`{"x":[` + strings.Repeat("[],", 1_000_000) + `[]]}`, "invalidSyntax"},
		"not an object":              {`["a"]`, "invalidSyntax"},
		"something after it":         {`{"userName":"a"} x`, "invalidSyntax"},
		"two documents":              {`{"userName":"a"}{}`, "invalidSyntax"},
		"a depth bomb of lists":      {strings.Repeat("[", 100_000), "invalidSyntax"},
		"a depth bomb of objects":    {strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), "invalidSyntax"},
		"one level too deep":         {strings.Repeat(`{"a":`, scim.MaxDepth+1) + "1" + strings.Repeat("}", scim.MaxDepth+1), "invalidSyntax"},
		"a NUL":                      {`{"userName":"a\u0000"}`, "invalidValue"},
		"invalid UTF-8":              {"{\"userName\":\"a\xff\"}", "invalidValue"},
		"half a surrogate pair":      {`{"userName":"\ud83d"}`, "invalidValue"},
		"the wrong half":             {`{"userName":"\ude00\ud83d"}`, "invalidValue"},
		"userName a number":          {`{"userName":42}`, "invalidValue"},
		"userName an object":         {`{"userName":{"value":"a"}}`, "invalidValue"},
		"userName a list":            {`{"userName":["a"]}`, "invalidValue"},
		"a boolean for a text":       {`{"title":true}`, "invalidValue"},
		"name a text":                {`{"name":"Ada"}`, "invalidValue"},
		"name a list":                {`{"name":[{"givenName":"a"}]}`, "invalidValue"},
		"active of no sense":         {`{"active":"yes"}`, "invalidValue"},
		"active a number":            {`{"active":1}`, "invalidValue"},
		"emails a number":            {`{"emails":5}`, "invalidValue"},
		"a list within a list":       {`{"emails":[["x"]]}`, "invalidValue"},
		"an email's value an object": {`{"emails":[{"value":{"a":1}}]}`, "invalidValue"},
		"extension a text":           {`{"` + ent + `":"x"}`, "invalidValue"},
		"userName too long":          {`{"userName":"` + strings.Repeat("x", scim.KeyMaxBytes+1) + `"}`, "invalidValue"},
		"title too long":             {`{"title":"` + strings.Repeat("x", scim.DefaultMaxBytes+1) + `"}`, "invalidValue"},
		"too many emails":            {`{"emails":["x"` + strings.Repeat(`,"x"`, scim.MaxValues) + `]}`, "invalidValue"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scim.DecodeResource(scim.NewUserType(), []byte(tc.body))
			check(t, err, tc.scimType)
		})
	}
}

func TestDecodeErrorNamesTheAttribute(t *testing.T) {
	for body, want := range map[string]string{
		`{"active":"yes"}`:                         "active",
		`{"emails":[{"value":{}},{"value":true}]}`: "emails.value",
		`{"` + ent + `":{"department":[1]}}`:       ent + ":department",
	} {
		_, err := scim.DecodeResource(scim.NewUserType(), []byte(body))
		if err == nil || !strings.Contains(err.Error(), want+" ") {
			t.Errorf("%s: error %v does not name %s", body, err, want)
		}
	}
}

func TestDecodeCustomExtensionBySchema(t *testing.T) {
	custom := &scim.Schema{ID: "urn:acme:params:scim:schemas:2.0:User", Name: "Acme", Attributes: []scim.Attribute{
		{Name: "level", Type: scim.Integer}, {Name: "rate", Type: scim.Decimal}, {Name: "since", Type: scim.DateTime},
		{Name: "tags", Type: scim.String, MultiValued: true},
	}}
	for body, tc := range map[string]struct{ want, scimType string }{
		`{"level":"7","rate":1.5,"since":"2026-01-02T03:04:05Z","tags":["a","b"]}`: {`{"level":7,"rate":1.5,"since":"2026-01-02T03:04:05Z","tags":["a","b"]}`, ""},
		`{"tags":"a"}`:                            {`{"tags":["a"]}`, ""},
		`{"level":1.5}`:                           {"", "invalidValue"},
		`{"level":9007199254740991}`:              {`{"level":9007199254740991}`, ""},
		`{"level":-9007199254740991}`:             {`{"level":-9007199254740991}`, ""},
		`{"level":9007199254740992}`:              {"", "invalidValue"}, // another number to those who read it as a float
		`{"level":"-9007199254740993"}`:           {"", "invalidValue"},
		`{"level":92233720368547758079223372036}`: {"", "invalidValue"},
		`{"level":"x"}`:                           {"", "invalidValue"},
		`{"since":"yesterday"}`:                   {"", "invalidValue"},
	} {
		got, err := scim.DecodeResource(scim.NewUserType(custom), []byte(`{"`+custom.ID+`":`+body+`}`))
		check(t, err, tc.scimType)
		if err == nil && asJSON(t, got) != `{"`+custom.ID+`":`+tc.want+`}` {
			t.Errorf("%s decoded to %s", body, asJSON(t, got))
		}
	}
}

func TestDecodeGroupMembers(t *testing.T) {
	for name, tc := range map[string]struct{ body, want, scimType string }{
		"objects":        {`{"displayName":"E","Members":[{"value":"u","display":"Ada","$ref":"x","type":"User"}]}`, `{"displayName":"E","members":[{"display":"Ada","type":"User","value":"u"}]}`, ""},
		"plain ids":      {`{"members":["u","v"]}`, `{"members":[{"value":"u"},{"value":"v"}]}`, ""},
		"one object":     {`{"members":{"VALUE":"u"}}`, `{"members":[{"value":"u"}]}`, ""},
		"qualified":      {`{"` + scim.GroupURN + `:members":"u"}`, `{"members":[{"value":"u"}]}`, ""},
		"one id twice":   {`{"members":["u",{"value":"u"}]}`, `{"members":[{"value":"u"}]}`, ""},
		"none":           {`{"members":[]}`, `{}`, ""},
		"null":           {`{"members":null}`, `{}`, ""},
		"a null value":   {`{"members":[{"value":null}]}`, "", "invalidValue"},
		"a blank value":  {`{"members":[{"value":" "}]}`, "", "invalidValue"},
		"a missing one":  {`{"members":[{"display":"Ada"}]}`, "", "invalidValue"},
		"a null member":  {`{"members":[null]}`, "", "invalidValue"},
		"a number":       {`{"members":[1]}`, "", "invalidValue"},
		"a long value":   {`{"members":["` + strings.Repeat("x", 2000) + `"]}`, "", "invalidValue"},
		"an empty group": {`{"displayName":"E","externalId":"g"}`, `{"displayName":"E","externalId":"g"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scim.DecodeResource(scim.NewGroupType(), []byte(tc.body))
			check(t, err, tc.scimType)
			if err == nil && asJSON(t, got) != tc.want {
				t.Errorf("decoded %s, want %s", asJSON(t, got), tc.want)
			}
		})
	}
}

func TestDecodeGroupHasNoLimitOnMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"members":[{"value":"x"}`)
	for i := range 100_000 {
		fmt.Fprintf(&b, `,{"value":"%d"}`, i)
	}
	b.WriteString(`]}`)
	got, err := scim.DecodeResource(scim.NewGroupType(), []byte(b.String()))
	check(t, err, "")
	if members, _ := got["members"].([]any); len(members) != 100_001 {
		t.Errorf("%d members", len(members))
	}
}

func TestValidateRequiresWhatTheRFCRequires(t *testing.T) {
	user, group := scim.NewUserType(), scim.NewGroupType()
	for name, tc := range map[string]struct {
		kind     *scim.ResourceType
		r        scim.Resource
		scimType string
	}{
		"user with a name":       {user, scim.Resource{"userName": "a"}, ""},
		"user without":           {user, scim.Resource{"displayName": "a"}, "invalidValue"},
		"user with white space":  {user, scim.Resource{"userName": " \t"}, "invalidValue"},
		"group with a name":      {group, scim.Resource{"displayName": "a"}, ""},
		"group without":          {group, scim.Resource{}, "invalidValue"},
		"group with white space": {group, scim.Resource{"displayName": " "}, "invalidValue"},
	} {
		t.Run(name, func(t *testing.T) { check(t, scim.Validate(tc.kind, tc.r), tc.scimType) })
	}
}

func decodeRaw(t *testing.T, s string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(s), &out); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}
