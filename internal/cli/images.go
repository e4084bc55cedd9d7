package cli

import (
	"context"
	"fmt"
	"strings"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

func newImagesCommand(env *Env) *cobra.Command {
	cmd := group("images", "Look after the container images of the server's registry.",
		newImagesListCommand(env),
		newImagesDescribeCommand(env),
		newImagesDeleteCommand(env),
		newImagesTagsCommand(env),
		newImagesBootstrapCommand(env),
	)
	cmd.Example = "sunya images list\nsunya images delete gcr.io/sunya/hello:v1"
	return cmd
}

// imagesAPI is the API of Artifact Registry, as far as images need it.
type imagesAPI struct {
	*artifactregistry.Client
	client *client
	region string
}

// withImages connects, and runs do with the API of images.
func withImages(ctx context.Context, env *Env, do func(*imagesAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	api, err := artifactregistry.NewClient(ctx, option.WithGRPCConn(c.conn))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return do(&imagesAPI{api, c, env.flags.Region})
}

// imageRef is an image as a user names it.
type imageRef struct {
	images.Reference
	folder  string // resource name of the repository
	image   string // in it
	version bool   // a tag or digest was given
}

// parse reads the name of an image of this server: gcr.io/PROJECT/NAME,
// LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME, localhost:PORT/PROJECT/NAME,
// or NAME alone for one of the project.
func (a *imagesAPI) parse(s string) (imageRef, error) {
	full := s
	if !strings.Contains(s, "/") {
		full = "gcr.io/" + a.client.project + "/" + s
	}
	ref, err := images.Parse(full)
	if err != nil {
		return imageRef{}, usagef("%v", err)
	}
	own := images.NewOwn(a.client.base.Host)
	if !own.Here(ref.Host) && !images.Google(ref.Host) {
		return imageRef{}, usagef("%s is not in the registry of this server: use gcr.io/%s/NAME", s, a.client.project)
	}
	repository := own.Repository(ref)
	n := imageRef{Reference: ref, version: ref.Digest != "" || strings.Contains(s[strings.LastIndexByte(s, '/')+1:], ":")}
	location := a.region
	if l, ok := strings.CutSuffix(ref.Host, "-docker.pkg.dev"); ok {
		location = l
	}
	project, _, ok := strings.Cut(repository, "/")
	if !ok {
		return imageRef{}, usagef("%s has no project: use gcr.io/%s/%s", s, a.client.project, repository)
	}
	folder, image := registry.Split(repository)
	n.folder = registry.FolderKey{Project: project, Location: location, ID: folder}.Name()
	n.image = strings.ReplaceAll(image, "/", "%2F")
	return n, nil
}

// pack is the resource name of all that has the name.
func (n imageRef) pack() string { return n.folder + "/packages/" + n.image }

// get asks for one image.
func (a *imagesAPI) get(ctx context.Context, n imageRef) (*artifactregistrypb.DockerImage, error) {
	sep := ":"
	if n.Digest != "" {
		sep = "@"
	}
	return a.GetDockerImage(ctx, &artifactregistrypb.GetDockerImageRequest{Name: n.folder + "/dockerImages/" + n.image + sep + n.Version()})
}

func newImagesListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list [NAME]",
		Short:   "List images, with their tags.",
		Args:    args(0, 1, "a name that images begin with"),
		Example: "sunya images list\nsunya images list gcr.io/sunya/hello --format 'value(uri)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error { return listImages(cmd.Context(), env, a, args) })
		},
	}
}

func listImages(ctx context.Context, env *Env, a *imagesAPI, args []string) error {
	parent := registry.FolderKey{Project: a.client.project, Location: a.region, ID: "-"}.Name()
	found, err := collect(a.ListDockerImages(ctx, &artifactregistrypb.ListDockerImagesRequest{Parent: parent, PageSize: 1000}).Next)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		n, err := a.parse(args[0])
		if err != nil {
			return err
		}
		want := strings.TrimSuffix(n.folder, "/") + "/dockerImages/" + n.image
		found = filter(found, func(i *artifactregistrypb.DockerImage) bool {
			return strings.HasPrefix(afterLocation(i.GetName()), afterLocation(want))
		})
	}
	return printList(env, found, table[*artifactregistrypb.DockerImage]{
		{"IMAGE", func(i *artifactregistrypb.DockerImage) string {
			name, _, _ := strings.Cut(i.GetUri(), "@")
			return name
		}},
		{"TAGS", func(i *artifactregistrypb.DockerImage) string { return strings.Join(i.GetTags(), ", ") }},
		{"DIGEST", func(i *artifactregistrypb.DockerImage) string {
			_, digest, _ := strings.Cut(i.GetUri(), "@")
			return digest[:min(len(digest), len("sha256:")+12)]
		}},
		{"SIZE", func(i *artifactregistrypb.DockerImage) string { return sunya.Bytes(i.GetImageSizeBytes()).String() }},
		{"UPLOADED", func(i *artifactregistrypb.DockerImage) string { return ago(i.GetUploadTime().AsTime(), env.Now()) }},
	})
}

// afterLocation is a resource name from its location's name on: one image is in
// every location.
func afterLocation(name string) string {
	parts := strings.SplitN(name, "/", 5)
	return parts[len(parts)-1]
}

func filter[T any](items []T, keep func(T) bool) []T {
	var out []T
	for _, i := range items {
		if keep(i) {
			out = append(out, i)
		}
	}
	return out
}

func newImagesDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe NAME[:TAG|@DIGEST]",
		Short:   "Show everything about one image.",
		Args:    args(1, 1, "the name of an image"),
		Example: "sunya images describe gcr.io/sunya/hello\nsunya images describe hello:v1 --format 'value(uri)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error {
				n, err := a.parse(args[0])
				if err != nil {
					return err
				}
				img, err := a.get(cmd.Context(), n)
				if err != nil {
					return err
				}
				return printOne(env, img)
			})
		},
	}
}
