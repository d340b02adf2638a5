package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func BenchmarkDecodeUser(b *testing.B) {
	kind := scim.NewUserType()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scim.DecodeResource(kind, []byte(base)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseFilter(b *testing.B) {
	kind := scim.NewUserType()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scim.ParseFilter(kind, `userName eq "ada@example.com"`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchUser(b *testing.B) {
	kind := scim.NewUserType()
	r, err := scim.DecodeResource(kind, []byte(base))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ops, err := scim.ParsePatch([]byte(`{"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"n"}]}`))
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := scim.ApplyPatch(kind, r, ops); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchGroupWith10000Members(b *testing.B) {
	kind := scim.NewGroupType()
	var list strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, `,{"value":"0198c0de-0000-7000-8000-%012d"}`, i)
	}
	body := []byte(`{"Operations":[{"op":"add","path":"members","value":[` + list.String()[1:] + `]}]}`)
	b.ReportAllocs()
	for b.Loop() {
		ops, err := scim.ParsePatch(body)
		if err != nil {
			b.Fatal(err)
		}
		edit, err := scim.ParseGroupEdit(kind, ops)
		if err != nil || len(edit.Fold().Add) != 10_000 {
			b.Fatal(err)
		}
	}
}
