import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.JobsApi;
import org.openapitools.client.model.BatchItem;
import org.openapitools.client.model.BatchJob;
import org.openapitools.client.model.Job;
import org.openapitools.client.model.JobPage;
import org.openapitools.client.model.NewJob;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.UniqueWish;

/** As generated.SEEN says, with the client of openapi-generator's `java`: java Use WAYBILL STRANGER. */
public class Use {
    static final Map<String, Object> TEXTS = Map.of("to", "ada@example.com", "subject", "Hi", "text", "Hello");
    static final ObjectMapper JSON = ApiClient.createDefaultObjectMapper();
    static JobsApi waybill;

    interface Call {
        void make() throws ApiException;
    }

    static JobsApi at(String url) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(url);
        return new JobsApi(client);
    }

    static Job queued(NewJob job, String key) throws ApiException {
        return waybill.createJob(job, key, null, null, null, null);
    }

    static Job waited(String id) throws ApiException {
        return waybill.readJob(id, BigDecimal.valueOf(30), null, null, null);
    }

    static List<BatchItem> batch() throws ApiException {
        List<BatchJob> jobs = List.of(
            new BatchJob().type("email").payload(TEXTS).idempotencyKey("b-1"),
            new BatchJob().type("ship").payload(Map.of("number", 0, "lines", List.of())).idempotencyKey("b-2"),
            new BatchJob().type("ship").payload(Map.of("lines", List.of())).idempotencyKey("b-3"));
        return waybill.createJobs(jobs, null, null).getItems();
    }

    static int pages() throws ApiException {
        String cursor = null;
        int jobs = 0;
        do {
            JobPage page = waybill.listJobs("orders", null, null, null, 1, cursor, null, null);
            jobs += page.getItems().size();
            cursor = page.getNextCursor();
        } while (cursor != null);
        return jobs;
    }

    static Problem refused(Call call) throws Exception {
        try {
            call.make();
        } catch (ApiException fault) {
            return JSON.readValue(fault.getResponseBody(), Problem.class);
        }
        throw new IllegalStateException("it was not refused");
    }

    static String pointer(Problem problem) {
        return problem.getErrors().get(0).getPointer();
    }

    static String same(Object one, Object other) {
        return Objects.equals(one, other) ? "the same job" : "another";
    }

    public static void main(String[] urls) throws Exception {
        waybill = at(urls[0]);
        JobsApi stranger = at(urls[1]);
        Map<String, Object> seen = new LinkedHashMap<>();
        Job mail = queued(new NewJob().type("email").payload(TEXTS), "m-1");
        seen.put("mail", waited(mail.getId()).getState());

        Map<String, Object> order = Map.of("number", 4711, "lines", List.of(Map.of("sku", "a", "pieces", 2)));
        NewJob ship = new NewJob().type("ship").payload(order).delayS(new BigDecimal("1.5"))
            .unique(new UniqueWish().key("order-4711"));
        Job own = queued(ship, null);
        Job twin = queued(ship, null);
        Job done = waited(own.getId());
        Object shipped = ((Map<?, ?>) done.getResult()).get("shipped");
        String again = same(own.getId(), twin.getId());
        seen.put("own", List.of(own.getOutcome(), twin.getOutcome(), again, done.getState(), shipped));

        List<BatchItem> first = batch();
        List<BatchItem> second = batch();
        List<Object> statuses = new ArrayList<>();
        first.forEach(item -> statuses.add(item.getStatus()));
        statuses.add(pointer(first.get(2).getProblem()));
        seen.put("batch", statuses);
        String id = first.get(1).getId();
        seen.put("again", List.of(second.get(1).getOutcome(), same(id, second.get(1).getId())));

        Job dead = waited(id);
        seen.put("dead", List.of(dead.getState(), dead.getError().getType(), dead.getError().getCause().getType()));
        seen.put("pages", pages());

        NewJob subjectless = new NewJob().type("email").payload(Map.of("to", "ada@example.com", "text", "Hello"));
        Problem problem = refused(() -> queued(subjectless, null));
        seen.put("problem", List.of(problem.getStatus(), problem.getType(), pointer(problem)));
        Problem unknown = refused(() -> stranger.readJob(own.getId(), null, null, null, null));
        seen.put("unknown", List.of(unknown.getStatus(), unknown.getType()));
        System.out.println(JSON.writeValueAsString(seen));
    }
}
