package server

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"skein.dev/skein/webtransport/wire"
)

// metrics is what Prometheus reads. No label takes a value that a client invents.
type metrics struct {
	reg       *prometheus.Registry
	sessions  *prometheus.GaugeVec
	streams   prometheus.Gauge
	datagrams prometheus.Counter
	raced     prometheus.Counter
	early     prometheus.Counter
	spawns    *prometheus.HistogramVec
	rpcs      *prometheus.CounterVec
	rpcTime   *prometheus.HistogramVec
	laneBytes *prometheus.CounterVec
	laneWaits *prometheus.CounterVec
	moves     sync.Map // wire.Lane: what its shapers call
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		reg: prometheus.NewRegistry(),
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "skein_sessions", Help: "Open sessions."},
			[]string{"transport"}),
		streams:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "skein_streams", Help: "Open streams over all sessions."}),
		raced:     prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_raced_requests_total", Help: "Critical requests that came as datagrams."}),
		early:     prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_early_requests_total", Help: "Requests taken from TLS early data."}),
		datagrams: prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_status_datagrams_total", Help: "Status datagrams handed to the sessions."}),
		spawns: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "skein_spawn_seconds", Help: "Time from the admission of an agent to its start.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14)}, []string{"kind", "outcome"}),
		rpcs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_rpcs_total", Help: "Requests answered."},
			[]string{"method", "code"}),
		rpcTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "skein_rpc_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10)}, []string{"method"}),
		laneBytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_lane_bytes_total", Help: "Bytes that lanes moved; in is from the client."},
			[]string{"lane", "direction"}),
		laneWaits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_lane_throttled_seconds_total",
			Help: "Time that lanes waited for their rate, or for their turn among the writers of their class."}, []string{"lane", "direction"}),
	}
	m.reg.MustRegister(m.sessions, m.streams, m.datagrams, m.raced, m.early, m.spawns, m.rpcs, m.rpcTime, m.laneBytes, m.laneWaits, agentCollector{s}, taskCollector{s}, maskCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, t := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		m.sessions.WithLabelValues(string(t))
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{})
}

func (m *metrics) spawned(kind wire.Kind, took time.Duration, ok bool) {
	outcome := "started"
	if !ok {
		outcome = "failed"
	}
	m.spawns.WithLabelValues(string(kind), outcome).Observe(took.Seconds())
}

func (m *metrics) rpc(method string, err error, took time.Duration) {
	if wire.MethodNamed(method) == nil {
		method = "unknown"
	}
	code := "ok"
	if err != nil {
		code = wire.CodeInternal.String()
		var we *wire.Error
		if errors.As(err, &we) {
			code = we.Code.String()
		}
	}
	m.rpcs.WithLabelValues(method, code).Inc()
	m.rpcTime.WithLabelValues(method).Observe(took.Seconds())
}

// agentCollector counts agents by status when it is asked.
type agentCollector struct{ s *Server }

var agentsDesc = prometheus.NewDesc("skein_agents", "Agents by status.", []string{"status"}, nil)

func (agentCollector) Describe(ch chan<- *prometheus.Desc) { ch <- agentsDesc }

func (c agentCollector) Collect(ch chan<- prometheus.Metric) {
	n := map[wire.Status]int{}
	if p := c.s.plane; p != nil {
		for _, a := range p.List(wire.Filter{}).Agents {
			n[a.Status]++
		}
	}
	for _, st := range wire.Statuses {
		ch <- prometheus.MustNewConstMetric(agentsDesc, prometheus.GaugeValue, float64(n[st]), string(st))
	}
}

// maskCollector counts what loss masking does.
type maskCollector struct{ s *Server }

var (
	maskedDesc   = prometheus.NewDesc("skein_masked_connections", "QUIC connections whose packets are sent twice now, since they lose some.", nil, nil)
	repeatedDesc = prometheus.NewDesc("skein_masked_packets_total", "QUIC packets that were sent twice.", nil, nil)
)

func (maskCollector) Describe(ch chan<- *prometheus.Desc) { ch <- maskedDesc; ch <- repeatedDesc }

func (c maskCollector) Collect(ch chan<- prometheus.Metric) {
	if c.s.quic == nil {
		return
	}
	connections, packets := c.s.quic.Masked()
	ch <- prometheus.MustNewConstMetric(maskedDesc, prometheus.GaugeValue, float64(connections))
	ch <- prometheus.MustNewConstMetric(repeatedDesc, prometheus.CounterValue, float64(packets))
}

// taskCollector counts tasks by state.
type taskCollector struct{ s *Server }

var tasksDesc = prometheus.NewDesc("skein_tasks", "Tasks by state.", []string{"state"}, nil)

func (c taskCollector) Describe(ch chan<- *prometheus.Desc) { ch <- tasksDesc }

func (c taskCollector) Collect(ch chan<- prometheus.Metric) {
	if c.s.plane == nil {
		return
	}
	counts := c.s.plane.Tasks.Counts()
	for _, state := range wire.TaskStates {
		ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}
