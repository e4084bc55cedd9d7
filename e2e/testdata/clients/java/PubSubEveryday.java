import com.google.api.core.ApiFuture;
import com.google.api.core.ApiFutures;
import com.google.api.gax.core.CredentialsProvider;
import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.api.gax.rpc.NotFoundException;
import com.google.api.gax.rpc.TransportChannelProvider;
import com.google.cloud.pubsub.v1.AckReplyConsumer;
import com.google.cloud.pubsub.v1.MessageReceiver;
import com.google.cloud.pubsub.v1.Publisher;
import com.google.cloud.pubsub.v1.Subscriber;
import com.google.cloud.pubsub.v1.SubscriptionAdminClient;
import com.google.cloud.pubsub.v1.SubscriptionAdminSettings;
import com.google.cloud.pubsub.v1.TopicAdminClient;
import com.google.cloud.pubsub.v1.TopicAdminSettings;
import com.google.protobuf.ByteString;
import com.google.pubsub.v1.PubsubMessage;
import com.google.pubsub.v1.Subscription;
import com.google.pubsub.v1.SubscriptionName;
import com.google.pubsub.v1.TopicName;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What a program does with topics and subscriptions. */
public class PubSubEveryday {
  static void check(boolean ok, String what) {
    if (!ok) throw new AssertionError(what);
  }

  public static void main(String[] args) throws Exception {
    // Java takes the address of an emulator in code.
    ManagedChannel channel = ManagedChannelBuilder.forTarget(System.getenv("PUBSUB_EMULATOR_HOST")).usePlaintext().build();
    TransportChannelProvider to = FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel));
    CredentialsProvider none = NoCredentialsProvider.create();
    String project = System.getenv("GOOGLE_CLOUD_PROJECT");
    TopicName topic = TopicName.of(project, "java");
    SubscriptionName mine = SubscriptionName.of(project, "java");

    TopicAdminClient topics = TopicAdminClient.create(
        TopicAdminSettings.newBuilder().setTransportChannelProvider(to).setCredentialsProvider(none).build());
    SubscriptionAdminClient subscriptions = SubscriptionAdminClient.create(
        SubscriptionAdminSettings.newBuilder().setTransportChannelProvider(to).setCredentialsProvider(none).build());
    topics.createTopic(topic);
    subscriptions.createSubscription(Subscription.newBuilder()
        .setName(mine.toString()).setTopic(topic.toString()).setEnableMessageOrdering(true).build());

    int count = 200;
    Publisher publisher = Publisher.newBuilder(topic)
        .setChannelProvider(to).setCredentialsProvider(none).setEnableMessageOrdering(true).build();
    List<ApiFuture<String>> ids = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      ids.add(publisher.publish(PubsubMessage.newBuilder()
          .setData(ByteString.copyFromUtf8(Integer.toString(i))).setOrderingKey("k" + i % 4).build()));
    }
    check(ApiFutures.allAsList(ids).get(30, TimeUnit.SECONDS).stream().distinct().count() == count, "ids");
    publisher.shutdown();

    Map<String, List<Integer>> got = new ConcurrentHashMap<>();
    CountDownLatch all = new CountDownLatch(count);
    MessageReceiver receiver = (PubsubMessage m, AckReplyConsumer reply) -> {
      got.computeIfAbsent(m.getOrderingKey(), k -> new ArrayList<>()).add(Integer.valueOf(m.getData().toStringUtf8()));
      reply.ack();
      all.countDown();
    };
    Subscriber subscriber = Subscriber.newBuilder(mine.toString(), receiver).setChannelProvider(to).setCredentialsProvider(none).build();
    subscriber.startAsync().awaitRunning();
    check(all.await(30, TimeUnit.SECONDS), "messages are missing: " + got);
    subscriber.stopAsync().awaitTerminated();
    got.forEach((key, numbers) -> check(
        numbers.size() == count / 4 && numbers.equals(numbers.stream().sorted().toList()), key + ": " + numbers));

    try {
      topics.getTopic(TopicName.of(project, "none"));
      throw new AssertionError("a topic that does not exist");
    } catch (NotFoundException e) {
      check(e.getMessage().contains("Resource not found (resource=none)."), e.getMessage());
    }
    topics.deleteTopic(topic);
    topics.close();
    subscriptions.close();
    channel.shutdownNow();
  }
}
