package scimserver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// many is how many users there are where it matters.
const many = 10_000

// fill makes users, each with two emails and an extension.
func fill(b *testing.B, r *roster.Roster, org string, users int) {
	b.Helper()
	const batch = 1000
	for from := 0; from < users; from += batch {
		var changes []roster.Change
		for i := from; i < min(from+batch, users); i++ {
			name := fmt.Sprintf("user%d@example.com", i)
			changes = append(changes, roster.MemberCreate{Active: true, Attributes: roster.Attributes{
				"userName": name, "externalId": fmt.Sprint("x", i), "displayName": fmt.Sprint("User ", i), "title": fmt.Sprint("Title ", i%100),
				"name": map[string]any{"givenName": "User", "familyName": fmt.Sprint(i)},
				"emails": []any{
					map[string]any{"type": "work", "value": name, "primary": true}, map[string]any{"type": "home", "value": "home." + name},
				},
				enterprise: map[string]any{"department": fmt.Sprint("Department ", i%50)},
			}})
		}
		if _, err := r.Commit(b.Context(), org, roster.Cause{By: roster.ByPush}, changes); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkReads measures a GET of each path among many users.
func benchmarkReads(b *testing.B, path func(i int) string) {
	b.Helper()
	benchmarkOver(b, func(b *testing.B, e bench) {
		b.Helper()
		fill(b, e.roster, e.org, many)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if code := e.do(http.MethodGet, path(i%many), ""); code != http.StatusOK {
				b.Fatal(code)
			}
		}
	})
}

func filtered(format string) func(int) string {
	return func(i int) string { return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(format, i)) }
}

func BenchmarkLookUpByUserName(b *testing.B) {
	benchmarkReads(b, filtered(`userName eq "USER%d@example.com"`))
}

func BenchmarkLookUpByWorkEmail(b *testing.B) {
	benchmarkReads(b, filtered(`emails[type eq "work"].value eq "user%d@example.com"`))
}

func BenchmarkLookUpBySecondEmail(b *testing.B) {
	benchmarkReads(b, filtered(`emails.value eq "home.user%d@example.com"`))
}

// BenchmarkFilterByAttribute looks at every user's search document.
func BenchmarkFilterByAttribute(b *testing.B) {
	benchmarkReads(b, filtered(enterprise+`:department eq "no such department %d"`))
}

func BenchmarkFilterBySubstring(b *testing.B) {
	benchmarkReads(b, filtered(`title co "no such title %d" or emails.value ew "@example.org"`))
}

func BenchmarkListPage(b *testing.B) {
	benchmarkReads(b, func(i int) string { return fmt.Sprintf("/Users?count=100&startIndex=%d", i/100*100+1) })
}

func BenchmarkSortedPage(b *testing.B) {
	benchmarkReads(b, func(i int) string {
		return fmt.Sprintf("/Users?count=100&sortBy=name.familyName&startIndex=%d", i/100*100+1)
	})
}
