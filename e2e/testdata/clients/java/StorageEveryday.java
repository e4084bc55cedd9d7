import com.google.cloud.NoCredentials;
import com.google.cloud.storage.Blob;
import com.google.cloud.storage.BlobInfo;
import com.google.cloud.storage.BucketInfo;
import com.google.cloud.storage.Storage;
import com.google.cloud.storage.StorageOptions;
import java.nio.charset.StandardCharsets;

/** What a program does with objects, in the order in which it does it. */
public class StorageEveryday {
  static void check(boolean ok, String what) {
    if (!ok) throw new AssertionError(what);
  }

  public static void main(String[] args) throws Exception {
    // Java has no variable for the address of an emulator of Storage.
    Storage storage = StorageOptions.newBuilder()
        .setHost(System.getenv("STORAGE_EMULATOR_HOST"))
        .setProjectId(System.getenv("GOOGLE_CLOUD_PROJECT"))
        .setCredentials(NoCredentials.getInstance())
        .build().getService();
    storage.create(BucketInfo.of("everyday-java"));
    Blob blob = storage.create(
        BlobInfo.newBuilder("everyday-java", "notes/hello.txt").setContentType("text/plain").build(),
        "hello, world".getBytes(StandardCharsets.UTF_8));
    check(new String(blob.getContent(), StandardCharsets.UTF_8).equals("hello, world"), "content");
    storage.close();
  }
}
