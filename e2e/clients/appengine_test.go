//go:build e2e

// Package clients holds the platform against Google's own client libraries, as
// they come from their registries.
package clients

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // App Engine's API names files by SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	gae "cloud.google.com/go/appengine/apiv1"
	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// server returns the address of a running platform: SUNYA_SERVER, or one that
// lives as long as the test.
func server(t *testing.T) string {
	t.Helper()
	if s := os.Getenv("SUNYA_SERVER"); s != "" {
		return strings.TrimSuffix(s, "/")
	}
	return platform.Start(t).URL()
}

// admin is the official clients of App Engine's admin API.
type admin struct {
	base      string
	apps      *gae.ApplicationsClient
	services  *gae.ServicesClient
	versions  *gae.VersionsClient
	instances *gae.InstancesClient
}

func newAdmin(t *testing.T, base, transport string) *admin {
	t.Helper()
	ctx := t.Context()
	a := &admin{base: base}
	var errs [4]error
	if transport == "REST" {
		opts := []option.ClientOption{option.WithEndpoint(base), option.WithoutAuthentication()}
		a.apps, errs[0] = gae.NewApplicationsRESTClient(ctx, opts...)
		a.services, errs[1] = gae.NewServicesRESTClient(ctx, opts...)
		a.versions, errs[2] = gae.NewVersionsRESTClient(ctx, opts...)
		a.instances, errs[3] = gae.NewInstancesRESTClient(ctx, opts...)
	} else {
		opts := []option.ClientOption{
			option.WithEndpoint(strings.TrimPrefix(base, "http://")),
			option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
		a.apps, errs[0] = gae.NewApplicationsClient(ctx, opts...)
		a.services, errs[1] = gae.NewServicesClient(ctx, opts...)
		a.versions, errs[2] = gae.NewVersionsClient(ctx, opts...)
		a.instances, errs[3] = gae.NewInstancesClient(ctx, opts...)
	}
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.apps.Close(), a.services.Close(), a.versions.Close(), a.instances.Close()); err != nil {
			t.Error(err)
		}
	})
	return a
}

const (
	app    = "apps/sunya"
	parent = app + "/services/default"
)

// upload stores a file as gcloud does: in the application's code bucket, under
// its SHA-1.
func (a *admin) upload(ctx context.Context, content string) (*appenginepb.FileInfo, error) {
	info, err := a.apps.GetApplication(ctx, &appenginepb.GetApplicationRequest{Name: app})
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(content)) //nolint:gosec // see the import
	name := hex.EncodeToString(sum[:])
	u := a.base + "/upload/storage/v1/b/" + info.GetCodeBucket() + "/o?" + url.Values{"uploadType": {"media"}, "name": {name}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader([]byte(content)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("upload: %s", resp.Status)
	}
	return &appenginepb.FileInfo{
		SourceUrl: "https://storage.googleapis.com/" + info.GetCodeBucket() + "/" + name,
		Sha1Sum:   name,
	}, nil
}

// create deploys a version that needs nothing but the interpreter.
func (a *admin) create(ctx context.Context, id string) (*appenginepb.Version, error) {
	file, err := a.upload(ctx, platform.BareMain("hello from "+id))
	if err != nil {
		return nil, err
	}
	op, err := a.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{Parent: parent, Version: &appenginepb.Version{
		Id:           id,
		Runtime:      "python311",
		EnvVariables: map[string]string{"COLOUR": "blue"},
		Entrypoint:   &appenginepb.Entrypoint{Command: &appenginepb.Entrypoint_Shell{Shell: "python3 main.py"}},
		Deployment:   &appenginepb.Deployment{Files: map[string]*appenginepb.FileInfo{"main.py": file}},
	}})
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// TestGoAdminClients creates, lists with paging, gets, moves traffic, deletes
// and waits, over both transports of Google's Go library.
func TestGoAdminClients(t *testing.T) {
	base := server(t)
	for _, transport := range []string{"gRPC", "REST"} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			a := newAdmin(t, base, transport)
			stamp := strings.ToLower(transport) + fmt.Sprint(time.Now().Unix())
			v1, v2 := stamp+"-a", stamp+"-b"
			for _, id := range []string{v1, v2} {
				v, err := a.create(ctx, id)
				if err != nil {
					t.Fatalf("create %s: %v", id, err)
				}
				if v.GetName() != parent+"/versions/"+id || v.GetServingStatus() != appenginepb.ServingStatus_SERVING {
					t.Errorf("version = %v", v)
				}
			}
			if diff := cmp.Diff([]string{v1, v2}, a.list(t, ctx, stamp)); diff != "" {
				t.Errorf("versions (-want +got):\n%s", diff)
			}
			full, err := a.versions.GetVersion(ctx, &appenginepb.GetVersionRequest{Name: parent + "/versions/" + v1, View: appenginepb.VersionView_FULL})
			if err != nil || full.GetEnvVariables()["COLOUR"] != "blue" || len(full.GetDeployment().GetFiles()) != 1 {
				t.Errorf("full view = %v, %v", full, err)
			}
			a.promote(t, ctx, v2)
			a.remove(t, ctx, v1)
			if diff := cmp.Diff([]string{v2}, a.list(t, ctx, stamp)); diff != "" {
				t.Errorf("versions after delete (-want +got):\n%s", diff)
			}
		})
	}
}

// list names the versions that begin with prefix, one a page.
func (a *admin) list(t *testing.T, ctx context.Context, prefix string) []string {
	t.Helper()
	var ids []string
	it := a.versions.ListVersions(ctx, &appenginepb.ListVersionsRequest{Parent: parent, PageSize: 1})
	for {
		v, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(v.GetId(), prefix) {
			ids = append(ids, v.GetId())
		}
	}
}

func (a *admin) promote(t *testing.T, ctx context.Context, id string) {
	t.Helper()
	op, err := a.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
		Name:       parent,
		Service:    &appenginepb.Service{Split: &appenginepb.TrafficSplit{Allocations: map[string]float64{id: 1}}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"split"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := op.Wait(ctx)
	if err != nil || svc.GetSplit().GetAllocations()[id] != 1 {
		t.Errorf("split = %v, %v", svc.GetSplit(), err)
	}
}

func (a *admin) remove(t *testing.T, ctx context.Context, id string) {
	t.Helper()
	name := parent + "/versions/" + id
	op, err := a.versions.DeleteVersion(ctx, &appenginepb.DeleteVersionRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(ctx); err != nil {
		t.Errorf("wait for delete: %v", err)
	}
	_, err = a.versions.GetVersion(ctx, &appenginepb.GetVersionRequest{Name: name})
	var api *apierror.APIError
	if !errors.As(err, &api) || !strings.Contains(err.Error(), "version not found") {
		t.Errorf("get after delete: %v", err)
	}
}
