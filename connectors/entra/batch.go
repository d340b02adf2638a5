package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// batchMost is how many requests a batch may carry (Graph documentation, "Combine multiple HTTP requests using JSON
// batching").
const batchMost = 20

// batchItem is one request of a batch.
type batchItem struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"` // below the version
	Headers map[string]string `json:"headers,omitempty"`
}

// batchPart is the answer to one request of a batch.
type batchPart struct {
	ID      string          `json:"id"`
	Status  int             `json:"status"`
	Headers map[string]any  `json:"headers"`
	Body    json.RawMessage `json:"body"`
}

// People reads several people as Person does, ten in one request. Who cannot be read alone is left out; an error is one
// that they all would meet. It needs Directory.Read.All.
func (c *Connector) People(ctx context.Context, ids []string) (map[string]connectors.Person, error) {
	ctx = c.budgeted(ctx)
	r, err := c.rules(ctx)
	if err != nil {
		return nil, err
	}
	valid := slices.DeleteFunc(distinct(slices.Clone(ids)), func(id string) bool {
		_, err := parseID(id)
		return err != nil
	})
	found := make(map[string]connectors.Person, len(valid))
	if c.cfg.NestedGroups { // each takes several pages
		for _, id := range valid {
			p, err := c.Person(ctx, id)
			if err != nil {
				return found, err
			}
			found[id] = p
		}
		return found, nil
	}
	for some := range slices.Chunk(valid, batchMost/2) {
		if err := c.people(ctx, r, some, found); err != nil {
			return found, err
		}
	}
	return found, nil
}

// people reads as many as go into one batch: of each the attributes and the assignments.
func (c *Connector) people(ctx context.Context, r *rules, ids []string, found map[string]connectors.Person) error {
	items := make([]batchItem, 0, batchMost)
	for n, id := range ids {
		user, err := c.batchURL(c.userBuilder().ByUserId(id).ToGetRequestInformation(ctx, c.userQuery(r)))
		if err != nil {
			return err
		}
		items = append(items, batchItem{ID: userPart(n), Method: http.MethodGet, URL: user})
		if r.all { // assignments decide nothing
			continue
		}
		assigned, err := c.batchURL(c.userBuilder().ByUserId(id).AppRoleAssignments().ToGetRequestInformation(ctx, c.assignmentsQuery()))
		if err != nil {
			return err
		}
		items = append(items, batchItem{
			ID: assignmentsPart(n), Method: http.MethodGet, URL: assigned, Headers: map[string]string{"ConsistencyLevel": "eventual"},
		})
	}
	parts, err := c.batch(ctx, items)
	if err != nil {
		return err
	}
	for n, id := range ids {
		p, read, err := c.personOf(ctx, r, id, parts[userPart(n)], parts[assignmentsPart(n)])
		if err != nil {
			return err
		}
		if read {
			found[id] = p
		}
	}
	return nil
}

func userPart(n int) string        { return "user" + strconv.Itoa(n) }
func assignmentsPart(n int) string { return "assignments" + strconv.Itoa(n) }

// personOf joins the two answers about a person. It reports false where one of them tells nothing, and returns an error
// where it would be the same for everybody.
func (c *Connector) personOf(ctx context.Context, r *rules, id string, user, assignments batchPart) (p connectors.Person, read bool, err error) {
	for _, part := range []struct {
		batchPart
		ask   ask
		asked bool
	}{{user, askUser(id), true}, {assignments, askAssignments(id), !r.all}} {
		if !part.asked {
			continue
		}
		switch part.Status {
		case http.StatusOK:
		case http.StatusNotFound: // never there, or deleted, before or between the two requests
			p.Why, err = c.deletion(ctx, id)
			return p, err == nil, ctx.Err()
		case http.StatusUnauthorized, http.StatusForbidden:
			return p, false, part.refused(part.ask)
		default:
			return p, false, nil
		}
	}
	got, err := parsed[models.Userable](ctx, askUser(id), user.Body, models.CreateUserFromDiscriminatorValue)
	if err != nil {
		return p, false, ctx.Err()
	}
	u, err := c.user(got)
	if err != nil {
		return p, false, nil //nolint:nilerr // it is said to whoever asks for this person alone
	}
	if r.all {
		return r.person(got, u, everybody), true, nil
	}
	first, err := parsed[models.AppRoleAssignmentCollectionResponseable](ctx, askAssignments(id), assignments.Body,
		models.CreateAppRoleAssignmentCollectionResponseFromDiscriminatorValue)
	if err != nil {
		return p, false, ctx.Err()
	}
	rest := c.userAssignments(id)
	why, err := c.assigned(ctx, func(ctx context.Context, link string) (connectors.Page[models.AppRoleAssignmentable], error) {
		if link != "" {
			return rest(ctx, link)
		}
		return readPage(ctx, c.origin, askAssignments(id), func() (models.AppRoleAssignmentCollectionResponseable, error) { return first, nil })
	})
	if err != nil {
		return p, false, ctx.Err()
	}
	return r.person(got, u, why), true, nil
}

// batch sends requests that only read as one, and those of them again, alone, that were throttled: each is counted on its
// own (Graph documentation, "Microsoft Graph throttling guidance", "Throttling and batching"). What is throttled to the
// last has that status.
func (c *Connector) batch(ctx context.Context, items []batchItem) (map[string]batchPart, error) {
	got := make(map[string]batchPart, len(items))
	for try := 1; ; try++ {
		answers, err := c.sendBatch(ctx, items)
		if err != nil {
			return nil, err
		}
		var asked time.Duration
		left := map[string]bool{}
		for _, part := range answers {
			got[part.ID] = part
			switch part.Status {
			case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
				left[part.ID] = true
				asked = max(asked, connectors.RetryAfter(part.header()))
			}
		}
		items = slices.DeleteFunc(items, func(i batchItem) bool { return !left[i.ID] })
		if len(items) == 0 {
			return got, nil
		}
		c.log.InfoContext(ctx, "parts of a batch are asked for again", slog.Int("parts", len(items)), slog.Int("try", try), slog.Duration("asked", asked))
		if again, err := connectors.Again(ctx, try, asked); err != nil {
			return nil, fmt.Errorf("ask Graph for several people: %w", err)
		} else if !again {
			return got, nil
		}
	}
}

func (c *Connector) sendBatch(ctx context.Context, items []batchItem) ([]batchPart, error) {
	body, err := json.Marshal(struct {
		Requests []batchItem `json:"requests"`
	}{items})
	if err != nil {
		return nil, fmt.Errorf("write a batch: %w", err)
	}
	type answer struct {
		Responses []batchPart `json:"responses"`
	}
	ctx = connectors.WithReads(ctx, len(items))
	got, err := readRaw[answer](ctx, c, ask{what: "several people at once", grant: "User.Read.All"}, func() (*abs.RequestInformation, error) {
		info := abs.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abs.POST, "{+baseurl}/$batch", map[string]string{})
		info.Headers.Add("Accept", "application/json")
		info.SetStreamContentAndContentType(body, "application/json")
		return info, nil
	})
	return got.Responses, err
}

// batchURL returns what follows the version in the address of a request of the SDK, which encodes the $ in names.
func (c *Connector) batchURL(info *abs.RequestInformation, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("write a batch: %w", err)
	}
	info.PathParameters["baseurl"] = c.origin.base
	u, err := info.GetUri()
	if err != nil {
		return "", fmt.Errorf("write a batch: %w", err)
	}
	return strings.TrimPrefix(strings.ReplaceAll(u.String(), "%24", "$"), c.origin.base), nil
}

// header returns the headers of a part that waiting goes by.
func (p batchPart) header() http.Header {
	h := http.Header{}
	for name, value := range p.Headers {
		h.Set(name, fmt.Sprint(value))
	}
	return h
}

// refused returns what the request alone would have ended with.
func (p batchPart) refused(a ask) error {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(p.Body, &body) != nil {
		body.Error.Code, body.Error.Message = "", ""
	}
	return explainStatus(a, p.Status, nil, body.Error.Code, body.Error.Message)
}

// parsed reads an object as the SDK does, which may panic.
func parsed[T serialization.Parsable](ctx context.Context, a ask, body []byte, factory serialization.ParsableFactory) (T, error) {
	return call(ctx, a, func() (T, error) {
		var none T
		node, err := jsonserialization.NewJsonParseNode(body)
		if err != nil {
			return none, err
		}
		got, err := node.GetObjectValue(factory)
		if err != nil {
			return none, err
		}
		object, ok := got.(T)
		if !ok {
			return none, a.broken("an answer that is not JSON of the documented form")
		}
		return object, nil
	})
}
