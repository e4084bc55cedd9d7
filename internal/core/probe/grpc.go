package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sunya-cloud/sunya"
)

// maxAnswer bounds the answer to a health check, which has three bytes.
const maxAnswer = 4 << 10

// servingStatus are the values of grpc.health.v1.HealthCheckResponse.status.
var servingStatus = map[uint64]string{0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

// askGRPC calls grpc.health.v1.Health/Check. The two messages have one field
// each, so that they are written and read by hand here.
func askGRPC(ctx context.Context, t Target, p *sunya.GRPCProbe, port int) error {
	const url = "http://localhost/grpc.health.v1.Health/Check"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(checkRequest(p.Service)))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", "sunya-probe")
	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	tr := transport(t, port, &h2c)
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return judge(resp, body)
}

// judge says whether an answer means well.
func judge(resp *http.Response, body []byte) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %d %s, not gRPC", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	code, message := grpcStatus(resp)
	switch code {
	case "0":
	case "5": // NOT_FOUND: the protocol's answer for a service that it does not know
		return fmt.Errorf("it knows no such service: %s", message)
	case "12":
		return errors.New("it does not implement grpc.health.v1.Health")
	default:
		return fmt.Errorf("it answered with gRPC status %s: %s", code, message)
	}
	status, err := checkResponse(body)
	if err != nil {
		return err
	}
	if status != 1 {
		return fmt.Errorf("it is %s", servingStatus[status])
	}
	return nil
}

// grpcStatus is in the trailer, or in the header when there is no message.
func grpcStatus(resp *http.Response) (code, message string) {
	h := resp.Trailer
	if h.Get("Grpc-Status") == "" {
		h = resp.Header
	}
	return h.Get("Grpc-Status"), h.Get("Grpc-Message")
}

// checkRequest is HealthCheckRequest{service = 1} in a gRPC frame.
func checkRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = append(m, 1<<3|2)
		m = binary.AppendUvarint(m, uint64(len(service)))
		m = append(m, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m)))
	return append(frame, m...)
}

var errNoCheckResponse = errors.New("its answer is not a health check's")

// checkResponse reads HealthCheckResponse{status = 1} from a gRPC frame. An
// absent field is UNKNOWN.
func checkResponse(frame []byte) (status uint64, err error) {
	if len(frame) < 5 || frame[0] != 0 || uint64(len(frame)-5) != uint64(binary.BigEndian.Uint32(frame[1:5])) {
		return 0, errNoCheckResponse
	}
	m := frame[5:]
	if len(m) == 0 {
		return 0, nil
	}
	if m[0] != 1<<3 {
		return 0, errNoCheckResponse
	}
	status, n := binary.Uvarint(m[1:])
	if n <= 0 {
		return 0, errNoCheckResponse
	}
	return status, nil
}
