/** How many calls may be made a second time, so that retries never multiply the load of a tier in trouble. */
export interface RetryBudget {
  /** A call was answered. */
  earn(): void;
  /** @returns false when the budget is spent: the error goes to the caller. */
  spend(): boolean;
}

/**
 * Ten calls pay for one retry; what is saved up bears the loss of one server's calls at once.
 * Source of the form: retryThrottling of gRPC's service config (grpc proposal A6).
 */
export function createRetryBudget(options: { readonly most: number; readonly perCall: number }): RetryBudget {
  let tokens = options.most;
  return {
    earn() {
      tokens = Math.min(options.most, tokens + options.perCall);
    },
    spend() {
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
