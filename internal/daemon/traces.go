package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/web"
)

// scopeName says in each span which code made it.
const scopeName = "github.com/rosterd/rosterd"

// traces make spans and send them away. What stands in a span is from fixed lists, or a name that operators give, or an id
// of ours: never a person, a query, a body or an error's words, which may quote them.
type traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
}

// newTraces begins to send to the collector; it asks nothing of it yet, so that one that is down is no reason not to start.
func newTraces(ctx context.Context, c *config.Tracing, version string, log *slog.Logger) (*traces, error) {
	var opts []otlptracehttp.Option // none: the exporter goes by OTEL_EXPORTER_OTLP_ENDPOINT and its companions
	if c.Endpoint != "" {
		at, err := tracesURL(c.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("tracing: endpoint: %w", err)
		}
		opts = append(opts, otlptracehttp.WithEndpointURL(at))
	}
	if len(c.Headers) > 0 {
		headers := map[string]string{}
		for name, value := range c.Headers {
			headers[name] = value.Reveal()
		}
		opts = append(opts, otlptracehttp.WithHeaders(headers))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	of, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "rosterd"), attribute.String("service.version", version), attribute.String("service.instance.id", holder()),
	), resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// The SDK tells of what it could not send in no other way.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("send traces", "error", err) }))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(of),
		sdktrace.WithSampler(sdktrace.ParentBased(sampler{sdktrace.TraceIDRatioBased(c.Sample)})),
	)
	return &traces{tracer: provider.Tracer(scopeName, trace.WithInstrumentationVersion(version)), provider: provider}, nil
}

// tracesURL adds the path of traces to a URL without one, as the protocol has it for a base URL.
func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// sampler keeps every run, and a share of the rest.
type sampler struct{ share sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if strings.HasPrefix(p.Name, runSpan) {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return s.share.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s sampler) Description() string { return "runs, and " + s.share.Description() }

const runSpan = "run "

// stop sends what has not been sent.
func (t *traces) stop(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// run begins the span of a run.
func (t *traces) run(ctx context.Context, run *roster.Run, org string, tookOver bool) (context.Context, []slog.Attr, func(error)) {
	ctx, span := t.tracer.Start(ctx, runSpan+string(run.Mode), trace.WithAttributes(
		attribute.String("rosterd.organisation", org), attribute.String("rosterd.connection", run.ConnectionName),
		attribute.String("rosterd.run.id", run.ID), attribute.String("rosterd.run.mode", string(run.Mode)),
		attribute.Bool("rosterd.run.taken_over", tookOver), attribute.Bool("rosterd.run.approved", run.Approval),
	))
	return ctx, []slog.Attr{slog.String("trace_id", span.SpanContext().TraceID().String())}, func(err error) {
		span.SetAttributes(
			attribute.String("rosterd.run.state", string(run.State)), attribute.Bool("rosterd.run.complete", run.Complete),
			attribute.Int("rosterd.run.pages", run.Pages), attribute.Int("rosterd.run.objects", run.Objects),
			attribute.Int("rosterd.run.applied", run.Applied),
		)
		for kind, n := range run.Totals {
			if kind != roster.LinkKind {
				span.SetAttributes(attribute.Int("rosterd.drift."+string(kind), n))
			}
		}
		finish(span, err != nil || run.State == roster.RunFailed)
	}
}

// phase begins the span of a part of a run.
func (t *traces) phase(ctx context.Context, phase string) (context.Context, func(time.Duration, error)) {
	ctx, span := t.tracer.Start(ctx, phase)
	return ctx, func(_ time.Duration, err error) { finish(span, err != nil) }
}

// commit begins the span of a transaction, where it belongs to something that is traced.
func (t *traces) commit(ctx context.Context) (context.Context, func(result string)) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, func(string) {}
	}
	ctx, span := t.tracer.Start(ctx, "commit")
	return ctx, func(result string) {
		span.SetAttributes(attribute.String("rosterd.commit.result", result))
		finish(span, result == "error")
	}
}

// call begins the span of a request to an identity provider. The provider is told nothing of it.
func (t *traces) call(req *http.Request, connection string) (*http.Request, func(*http.Response)) {
	// Microsoft's SDK puts a span of its own between, which records nothing but goes on from ours.
	if !trace.SpanContextFromContext(req.Context()).IsSampled() {
		return req, func(*http.Response) {}
	}
	ctx, span := t.tracer.Start(req.Context(), req.Method+" "+template(req.URL.Path), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", req.Method), attribute.String("server.address", req.URL.Hostname()),
		attribute.String("url.template", template(req.URL.Path)), attribute.String("rosterd.connection", connection),
	))
	return req.WithContext(ctx), func(res *http.Response) {
		if res != nil {
			span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
		}
		finish(span, res == nil || res.StatusCode >= http.StatusBadRequest)
	}
}

// finish ends a span. What went wrong stands in the log, beside the trace's id.
func finish(span trace.Span, failed bool) {
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// template keeps of a path what the APIs of identity providers have in common; all else may be a person.
func template(path string) string {
	known := []string{
		"v1.0", "beta", "api", "v1", "scim", "v2", "users", "groups", "members", "memberOf", "delta", "appRoleAssignments", "appRoleAssignedTo", "servicePrincipals",
		"synchronization", "jobs", "schema", "auditLogs", "provisioning", "$batch", "apps", "logs", "group-push", "mappings", "directoryObjects", "getByIds",
		"oauth2", "token", "meta", "features", "provisionOnDemand", "restart", "Users", "Groups", "ServiceProviderConfig", "Schemas", "ResourceTypes", ".search",
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p != "" && !slices.Contains(known, p) {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// pushes goes around everything that answers SCIM requests, and traces them. A trace goes on from that of a trusted proxy
// (W3C Trace Context); what anybody else sends as one is not looked at.
func (t *traces) pushes(proxies web.Proxies, route func(path string) (string, bool), next http.Handler) http.Handler {
	w3c := propagation.TraceContext{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ours := route(r.URL.EscapedPath())
		if !ours {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if proxies.Trusts(r) {
			ctx = w3c.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		method := r.Method
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
			method = "other"
		}
		ctx, span := t.tracer.Start(ctx, "SCIM "+method+" "+at, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", at)))
		web.Measure(func(_ *http.Request, status int, _ time.Duration) {
			span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("rosterd.request.id", w.Header().Get(web.RequestIDHeader)))
			finish(span, status >= http.StatusInternalServerError)
		}, next).ServeHTTP(w, r.WithContext(ctx))
	})
}

// admitted says whose token a traced request carries.
func admitted(ctx context.Context, organisation, token string) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("rosterd.organisation", organisation), attribute.String("rosterd.token", token))
}

// tracedLog adds the trace's id to the lines that belong to one.
type tracedLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h tracedLog) Handle(ctx context.Context, line slog.Record) error {
	if of := trace.SpanContextFromContext(ctx); of.IsSampled() {
		line.AddAttrs(slog.String("trace_id", of.TraceID().String()))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (h tracedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h tracedLog) WithGroup(name string) slog.Handler { return tracedLog{h.Handler.WithGroup(name)} }
