package scimserver

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
)

// Caps of what the request log keeps, in bytes.
const (
	maxLoggedBody = 16 << 10
	maxLoggedLine = 2 << 10
	// maxLoggedRead is kept of what a read answered: whether something was found, and the first of it.
	maxLoggedRead = 1 << 10
)

// trace is what an exchange notes for the request log on its way.
type trace struct {
	logged bool // a row of it is written, or tried to be
	answer *watched
	quirks []string // nil: not looked for yet
}

// watched is a ResponseWriter that remembers the status and the beginning of an answer.
type watched struct {
	http.ResponseWriter

	trace  *trace
	status int
	head   []byte
}

// WriteHeader remembers the status; informational ones are not the answer.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write remembers the beginning of an answer that has no row yet.
func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if room := maxLoggedRead + 1 - len(w.head); room > 0 && !w.trace.logged {
		w.head = append(w.head, b[:min(room, len(b))]...)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// watch does what a request asks for and sees to it that it is logged, also where it was a read that went well or was cut
// off. What fails or writes has logged itself.
func (x *exchange) watch(w http.ResponseWriter, do func()) {
	x.trace.answer = &watched{ResponseWriter: w, trace: &x.trace}
	x.w = x.trace.answer
	whole := false
	defer func() { x.logRead(whole) }()
	do()
	whole = true
}

// logRead has a read logged behind the request's back.
func (x *exchange) logRead(whole bool) {
	status := x.trace.answer.status
	if !x.s.journal.reads || x.trace.logged || status == 0 {
		return
	}
	if x.org.ID == "" {
		if x.recognise(); x.org.ID == "" {
			return
		}
	}
	detail := ""
	if !whole {
		detail = "the answer was cut off: the client went away, or something failed half-way"
	}
	x.s.journal.read(pendingRead{
		row: roster.Request{
			ID: x.id, Org: x.org.ID, Time: x.began.UTC(), Method: x.r.Method, Status: status, TokenID: x.token.ID,
			TokenName: x.token.Name, Client: web.ClientAddr(x.r), UserAgent: x.r.UserAgent(), RequestBody: loggedBody(x.body),
			Duration: time.Since(x.began), Detail: detail, Repeats: 1, Quirk: x.quirks(),
		},
		url: x.r.URL, head: x.trace.answer.head,
	})
}

// pendingRead is a read that waits to be logged. Its texts are made fit for the log when it is written.
type pendingRead struct {
	row  roster.Request
	url  *url.URL
	head []byte
}

func (p *pendingRead) finish() roster.Request {
	row := p.row
	row.Method, row.Path = printable(row.Method, 32), loggedPath(p.url)
	row.Client, row.UserAgent = printable(row.Client, maxLoggedLine), printable(web.MaskTokens(row.UserAgent), maxLoggedLine)
	row.ResponseBody = printable(string(web.MaskTokensIn(maskSecrets(p.head, maxLoggedRead))), maxLoggedRead)
	return row
}

// logRow is the request log's row for this request and its answer.
func (x *exchange) logRow(a answer, detail string) roster.Request {
	x.trace.logged = true
	response := a.body
	if a.logged != nil {
		response = a.logged
	}
	return roster.Request{
		ID: x.id, Org: x.org.ID, Time: x.began.UTC(), Method: printable(x.r.Method, 32), Path: loggedPath(x.r.URL), Status: a.status,
		TokenID: x.token.ID, TokenName: x.token.Name, Client: printable(web.ClientAddr(x.r), maxLoggedLine),
		UserAgent: printable(web.MaskTokens(x.r.UserAgent()), maxLoggedLine), RequestBody: loggedBody(x.body),
		ResponseBody: loggedBody(response), Duration: time.Since(x.began), Detail: printable(detail, maxLoggedLine), Repeats: 1,
		Quirk: x.quirks(),
	}
}

// logFailure writes the row of a request that failed, on its own: what it would have done was undone. A log that can't be
// written changes nothing for the client. One with a repeatKey is counted, and written with others.
func (x *exchange) logFailure(a answer, detail, repeatKey string) {
	row := x.logRow(a, detail)
	if repeatKey != "" {
		x.s.journal.refusal(store.LogRow{Request: row, RepeatKey: repeatKey})
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), journalTime)
	defer cancel()
	if err := x.s.store.LogRequest(ctx, &row, ""); err != nil {
		x.s.log.LogAttrs(ctx, slog.LevelError, "request log", slog.String("request_id", x.id), slog.Any("error", err))
	}
}

// loggedBody masks secrets in a body, cuts it down and makes it storable.
func loggedBody(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return printable(string(web.MaskTokensIn(maskSecrets(body, maxLoggedBody))), maxLoggedBody)
}

func loggedPath(u *url.URL) string {
	path := web.LoggedPath(u)
	if u.RawQuery != "" {
		path += "?" + maskQuery(u.RawQuery)
	}
	return printable(web.MaskTokens(path), maxLoggedLine)
}

// maskQuery replaces the values of parameters that name a secret or, as a filter may, hold one. The rest stays as it was
// sent.
func maskQuery(raw string) string {
	if !namesSecret(raw) && !strings.Contains(raw, "%") { // nearly none does
		return raw
	}
	params := strings.Split(raw, "&")
	for i, p := range params {
		name, value, _ := strings.Cut(p, "=")
		plain, err := url.QueryUnescape(p)
		if namesSecret(name) || namesSecret(p) && err != nil || holdsSecret(plain) {
			params[i] = name + "=***"
			if value == "" {
				params[i] = "***"
			}
		}
	}
	return strings.Join(params, "&")
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
