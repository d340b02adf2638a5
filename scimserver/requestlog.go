package scimserver

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/web"
)

// Caps of what the request log keeps, in bytes.
const (
	maxLoggedBody = 16 << 10
	maxLoggedLine = 2 << 10
)

// logRow is the request log's row for this request and its answer.
func (x *exchange) logRow(a answer, detail string) roster.Request {
	response := a.body
	if a.logged != nil {
		response = a.logged
	}
	return roster.Request{
		ID: x.id, Org: x.org.ID, Time: x.began.UTC(), Method: printable(x.r.Method, 32), Path: loggedPath(x.r.URL), Status: a.status,
		TokenID: x.token.ID, TokenName: x.token.Name, Client: printable(web.ClientAddr(x.r), maxLoggedLine),
		UserAgent: printable(maskTokens(x.r.UserAgent()), maxLoggedLine), RequestBody: loggedBody(x.body),
		ResponseBody: loggedBody(response), Duration: time.Since(x.began), Detail: printable(detail, maxLoggedLine), Repeats: 1,
	}
}

// logFailure writes the row of a request that failed, on its own: what it would have done was undone. A log that can't be
// written changes nothing for the client.
func (x *exchange) logFailure(a answer, detail, repeatKey string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), 5*time.Second)
	defer cancel()
	row := x.logRow(a, detail)
	if err := x.s.store.LogRequest(ctx, &row, repeatKey); err != nil {
		x.s.log.LogAttrs(ctx, slog.LevelError, "request log", slog.String("request_id", x.id), slog.Any("error", err))
	}
}

// loggedBody masks secrets in a body, cuts it down and makes it storable.
func loggedBody(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return printable(string(maskTokensIn(maskSecrets(body, maxLoggedBody))), maxLoggedBody)
}

// secretQuery finds parameters, and comparisons in a filter, that hold a secret. The path is matched in its encoded form.
var secretQuery = regexp.MustCompile(`(?i)([^?&=]*(?:password|secret|token)[^=&]*=)[^&]*|((?:password|secret)[^&]*?(?:%22|"))[^&]*`)

func loggedPath(u *url.URL) string {
	path := u.EscapedPath()
	if u.RawQuery != "" {
		path += "?" + secretQuery.ReplaceAllString(u.RawQuery, "$1$2***")
	}
	return printable(maskTokens(path), maxLoggedLine)
}

// printable makes text fit for both databases, valid UTF-8 without NUL, and cuts it between two characters.
func printable(s string, limit int) string {
	const mark = "…"
	if len(s) > limit {
		cut := limit - len(mark)
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + mark
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
